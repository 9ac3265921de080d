//! What a request names besides checkpoints, whether others wait for it, and what it is called in a list.

use stethoscope_core::work::Request;

use super::roots::{RootError, Roots};

/// The request with real paths in the place of names of files to be read and to be written. The names of checkpoints stay: they
/// are looked up when they are opened.
///
/// # Errors
/// If it names what it may not.
pub fn with_paths(mut request: Request, roots: &Roots) -> Result<Request, RootError> {
    let read = |name: &mut String| -> Result<(), RootError> {
        *name = roots.path(name)?.display().to_string();
        Ok(())
    };
    let write = |name: &mut String| -> Result<(), RootError> {
        *name = roots.path_to_write(name)?.display().to_string();
        Ok(())
    };
    match &mut request {
        Request::Merge(merge) => merge.out.iter_mut().try_for_each(write)?,
        Request::Extract(extract) => write(&mut extract.out)?,
        Request::Locate(locate) => locate.data.iter_mut().try_for_each(read)?,
        Request::Freeze(freeze) => {
            read(&mut freeze.data)?;
            freeze.eval.iter_mut().try_for_each(read)?;
            freeze.out.iter_mut().try_for_each(write)?;
        }
        // These name checkpoints alone.
        Request::Delta(_)
        | Request::Compare(_)
        | Request::Inspect(_)
        | Request::Closeup(_)
        | Request::Preview(_)
        | Request::Generate(_) => {}
    }
    Ok(request)
}

/// Whether a request has the machine to itself, and is kept. The others answer a person who looks at something: they take moments,
/// and nobody comes back for them.
pub const fn is_heavy(request: &Request) -> bool {
    match request {
        Request::Delta(_)
        | Request::Compare(_)
        | Request::Extract(_)
        | Request::Generate(_)
        | Request::Locate(_)
        | Request::Freeze(_) => true,
        // Without a folder to write it says only what would be written.
        Request::Merge(merge) => merge.out.is_some(),
        Request::Inspect(_) | Request::Closeup(_) | Request::Preview(_) => false,
    }
}

/// What a request is called in a list: the command line that asks the same, without the program's name.
pub fn words(request: &Request) -> String {
    let words = match request {
        Request::Delta(request) => request.command_line(&request.a, &request.b),
        Request::Compare(request) => request.command_line(),
        Request::Extract(request) => request.command_line(&request.a, &request.b),
        Request::Merge(request) => request.command_line(),
        Request::Generate(request) => request.command_line(),
        Request::Locate(request) => request.command_line(),
        Request::Freeze(request) => request.command_line(),
        Request::Inspect(request) => vec![String::new(), "inspect".to_owned(), request.checkpoint.clone()],
        Request::Closeup(request) => vec![String::new(), "closeup".to_owned(), request.tensor.clone()],
        Request::Preview(request) => vec![String::new(), "preview".to_owned(), request.recipe.clone()],
    };
    words.get(1..).unwrap_or_default().join(" ")
}
