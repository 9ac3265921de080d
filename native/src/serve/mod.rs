//! The page, served by this machine, and driving it: what takes long runs here, and what it says goes to whoever listens.
//!
//! `doors` says who may come in, `roots` what they may name, `page` what they get to see; `socket` is what they and the server say
//! to each other, and `jobs` what is done for them, each with a `log` and most with a folder (`kept`).

mod doors;
mod http;
mod jobs;
mod kept;
mod log;
mod page;
pub(crate) mod requests;
pub mod roots;
mod socket;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use crate::files::OpenError;
use crate::platform::Platform;
use crate::remote;
use doors::Doors;
use jobs::Jobs;
use page::Page;
use roots::Roots;

/// How a server is to be.
pub struct Settings {
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port; 0 for any that is free.
    pub port: u16,
    /// What requests may call it, besides the loopback's names: `host`, or `host:port`.
    pub names: Vec<String>,
    /// Where the page is: `/`, or `/lab/`.
    pub base_path: String,
    /// Folders whose files may be read, and written to.
    pub roots: Vec<PathBuf>,
    /// Hosts that may be asked for models, besides the Hub: `host`, or `host:port`.
    pub hosts: Vec<String>,
    /// Where jobs are kept.
    pub state: PathBuf,
    /// The folder of the page; none for the one that was built in.
    pub page: Option<PathBuf>,
    /// The machine.
    pub platform: Platform,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing to serve.
    #[error(
        "{} is no page: a folder that `cargo xtask web` made was expected, with an index.html in it",
        folder.display()
    )]
    NoPage {
        /// Where it should have been.
        folder: PathBuf,
    },
    /// Nothing to serve, and nowhere to look.
    #[error(
        "this program was built without the page; make it with `cargo xtask web --out DIR`, and give it as --page DIR, or build \
         the program with STETHOSCOPE_PAGE=DIR in the environment"
    )]
    NotBuiltIn,
    /// The address is taken, or not one of this machine's.
    #[error("{address} cannot be listened on: {source}; --port chooses another port")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Jobs cannot be kept.
    #[error("jobs cannot be kept in {}: {source}; --state chooses another folder", folder.display())]
    State {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else keeps jobs there.
    #[error("another server keeps its jobs in {}; --state chooses another folder", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// A root is not a folder.
    #[error("--root: {0}")]
    Root(#[source] Box<OpenError>),
    /// Threads for the network could not be started.
    #[error(transparent)]
    Network(Box<OpenError>),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a token: {why}")]
    Random {
        /// What it said.
        why: String,
    },
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    link: String,
}

/// What all connections share.
struct Shared {
    doors: Doors,
    page: Page,
    roots: Arc<Roots>,
    jobs: Arc<Jobs>,
    base_path: String,
}

impl Server {
    /// Listens, and goes on with jobs that wait.
    ///
    /// # Errors
    /// If there is no page, the address is taken, or jobs cannot be kept.
    pub fn new(settings: Settings) -> Result<Self, ServeError> {
        let missing = settings.page.clone().map_or(ServeError::NotBuiltIn, |folder| ServeError::NoPage { folder });
        let page = Page::find(settings.page).ok_or(missing)?;
        let folder = settings.state;
        make_private(&folder).map_err(|source| ServeError::State { folder: folder.clone(), source })?;
        let roots =
            Roots::new(&settings.roots, &settings.hosts, &folder).map_err(|error| ServeError::Root(Box::new(error)))?;
        let address = SocketAddr::new(settings.bind, settings.port);
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            io::Result::Ok((listener, port))
        };
        let (listener, port) = bind().map_err(|source| ServeError::Bind { address, source })?;
        let roots = Arc::new(roots);
        let platform = Platform { roots: Some(Arc::clone(&roots)), ..settings.platform };
        let jobs = Jobs::open(&folder, platform)?;
        let (doors, token) = Doors::new(port, &settings.names, &settings.base_path, &folder)?;
        let link = format!("http://127.0.0.1:{port}{}?token={token}", settings.base_path);
        let shared = Arc::new(Shared { doors, page, roots, jobs, base_path: settings.base_path });
        Ok(Self { listener, shared, link })
    }

    /// The address that lets a person in; to be given to nobody else.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// What ends the server in good order, from another thread: it waits until the job that runs has written down where it is.
    pub fn ending(&self) -> impl Fn() + Send + use<> {
        let jobs = Arc::clone(&self.shared.jobs);
        move || jobs.end()
    }

    /// Serves for as long as the program lives.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn run(self) -> Result<(), ServeError> {
        let runtime = remote::runtime().map_err(|error| ServeError::Network(Box::new(error)))?;
        let address = self.listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
        runtime.block_on(http::serve(self.listener, self.shared)).map_err(|source| ServeError::Bind { address, source })
    }
}

/// Makes a folder that only this person can read: what is asked of models is nobody else's affair.
fn make_private(folder: &PathBuf) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
