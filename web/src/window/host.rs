//! What the page's script does for the app.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// The page's script.
    pub type Host;

    /// Has the worker run a request (JSON).
    #[wasm_bindgen(method)]
    pub fn run(this: &Host, job: u32, request: &str);

    /// Whether a server does the work.
    #[wasm_bindgen(method)]
    pub fn is_served(this: &Host) -> bool;

    /// Listens to a job that the server has, by its number there.
    #[wasm_bindgen(method)]
    pub fn attach(this: &Host, job: u32, id: u32);

    /// Asks the server to stop a job, which then says that it has ended.
    #[wasm_bindgen(method)]
    pub fn ask_to_stop(this: &Host, job: u32);

    /// Whether models can run in this page.
    #[wasm_bindgen(method)]
    pub fn can_listen(this: &Host) -> bool;

    /// Has the models' worker run a request (JSON), and starts that worker if nobody has listened yet.
    #[wasm_bindgen(method)]
    pub fn listen(this: &Host, job: u32, request: &str);

    /// Says that an event of a job was taken, so that the worker may send another.
    #[wasm_bindgen(method)]
    pub fn took(this: &Host, job: u32);

    /// Has the worker stop a job.
    #[wasm_bindgen(method)]
    pub fn stop(this: &Host, job: u32);

    /// Has the worker keep, under a name, those of the things given with this number that are called so.
    #[wasm_bindgen(method)]
    pub fn hold(this: &Host, reference: &str, number: u32, names: Vec<String>);

    /// Has the worker read one of the files given with this number as a report, as a job.
    #[wasm_bindgen(method)]
    pub fn read(this: &Host, job: u32, number: u32, name: &str);

    /// Asks for files or a folder.
    #[wasm_bindgen(method)]
    pub fn pick(this: &Host, side: &str, folder: bool);

    /// Gives the person a file.
    #[wasm_bindgen(method)]
    pub fn save(this: &Host, name: &str, bytes: &[u8]);

    /// Whether there is anywhere to write a model to.
    #[wasm_bindgen(method)]
    pub fn can_write(this: &Host) -> bool;

    /// Asks for a folder to write a model to, or takes the browser's own storage under this name.
    #[wasm_bindgen(method)]
    pub fn pick_out(this: &Host, name: &str);

    /// Keeps a text until the next visit, if the browser does.
    #[wasm_bindgen(method)]
    pub fn remember(this: &Host, text: &str);

    /// The text that was kept last.
    #[wasm_bindgen(method)]
    pub fn remembered(this: &Host) -> Option<String>;
}
