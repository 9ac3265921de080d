//! Letting others have a turn: a worker takes the page's messages only between tasks.

use js_sys::{Date, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageChannel, MessagePort};

/// How long computing goes on before the next message is taken, in milliseconds.
const PATIENCE: f64 = 10.0;

/// Waits for the end of the current task now and then.
///
/// By a message to itself rather than a timer: browsers slow timers down when they are nested, or the tab is in the
/// background.
pub struct Turns {
    here: MessagePort,
    there: MessagePort,
    last: f64,
}

impl Turns {
    /// Nobody has waited yet.
    ///
    /// # Errors
    /// The browser's, where it has no message channels.
    pub fn new() -> Result<Self, JsValue> {
        let channel = MessageChannel::new()?;
        Ok(Self { here: channel.port1(), there: channel.port2(), last: Date::now() })
    }

    /// Lets others have a turn if they have waited long enough.
    pub async fn give_way(&mut self) {
        if Date::now() - self.last >= PATIENCE {
            let others = Promise::new(&mut |resolve, _| {
                self.here.set_onmessage(Some(&resolve));
                // A message that cannot be sent is one that nobody has to wait for.
                if self.there.post_message(&JsValue::NULL).is_err() {
                    let _ = resolve.call0(&JsValue::NULL);
                }
            });
            let _ = JsFuture::from(others).await;
            self.last = Date::now();
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.here.close();
        self.there.close();
    }
}
