//! What a file manager does on X11 when somebody drags folders onto a window: the source's side of XDND, version 5
//! (freedesktop.org, "Drag-and-Drop Protocol for the X Window System").

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, MapState, PropMode,
    SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use crate::tool::TIME_LIMIT;

type Failure = Box<dyn std::error::Error>;

x11rb::atom_manager! {
    /// The words of the protocol.
    Atoms: AtomsCookie {
        XdndAware, XdndEnter, XdndPosition, XdndStatus, XdndDrop, XdndFinished, XdndSelection, XdndActionCopy,
        TEXT_URI_LIST: b"text/uri-list",
    }
}

/// A drag under way.
struct Drag {
    connection: RustConnection,
    source: Window,
    target: Window,
    /// What is dragged, as the protocol has it.
    uris: String,
}

/// Drags these onto the only window of a display that takes drops, once it is there, and lets them go at a place on the screen.
pub fn drop_on(display: &str, paths: &[&Path], (x, y): (u32, u32)) -> Result<(), Failure> {
    let (connection, screen) = RustConnection::connect(Some(display))?;
    let atoms = Atoms::new(&connection)?.reply()?;
    let root = connection.setup().roots.get(screen).ok_or("a display has a screen")?.root;
    let target = wait_for_target(&connection, root, atoms.XdndAware)?;
    let source = connection.generate_id()?;
    let (class, nothing) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
    connection.create_window(0, source, root, 0, 0, 1, 1, 0, class, 0, &nothing)?;
    connection.set_selection_owner(source, atoms.XdndSelection, x11rb::CURRENT_TIME)?;
    let uris = paths.iter().map(|path| format!("file://{}\r\n", path.display())).collect();
    let drag = Drag { connection, source, target, uris };
    drag.tell(atoms.XdndEnter, [5 << 24, atoms.TEXT_URI_LIST, 0, 0])?;
    drag.tell(atoms.XdndPosition, [0, (x << 16) | y, x11rb::CURRENT_TIME, atoms.XdndActionCopy])?;
    // The target reads what is dragged before it is let go.
    let (mut is_read, mut is_accepted) = (false, false);
    while !(is_read && is_accepted) {
        match drag.next()? {
            Event::SelectionRequest(request) => {
                drag.hand_over(&request)?;
                is_read = true;
            }
            Event::ClientMessage(message) if message.type_ == atoms.XdndStatus => {
                is_accepted = message.data.as_data32()[1] & 1 == 1;
                if !is_accepted {
                    return Err("the window does not take what is dragged".into());
                }
            }
            _ => {}
        }
    }
    drag.tell(atoms.XdndDrop, [0, x11rb::CURRENT_TIME, 0, 0])?;
    loop {
        match drag.next()? {
            Event::ClientMessage(message) if message.type_ == atoms.XdndFinished => return Ok(()),
            _ => {}
        }
    }
}

/// The window that says that it takes drops, once it can be seen.
fn wait_for_target(connection: &RustConnection, root: Window, aware: u32) -> Result<Window, Failure> {
    let start = Instant::now();
    while start.elapsed() < TIME_LIMIT {
        for window in connection.query_tree(root)?.reply()?.children {
            let says = connection.get_property(false, window, aware, AtomEnum::ATOM, 0, 1)?.reply()?;
            let attributes = connection.get_window_attributes(window)?.reply()?;
            if says.value_len > 0 && attributes.map_state == MapState::VIEWABLE {
                return Ok(window);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err("no window came that takes drops".into())
}

impl Drag {
    /// Sends the target a message of the protocol; its first word is always who drags.
    fn tell(&self, what: u32, [one, two, three, four]: [u32; 4]) -> Result<(), Failure> {
        let message = ClientMessageEvent::new(32, self.target, what, [self.source, one, two, three, four]);
        self.connection.send_event(false, self.target, EventMask::NO_EVENT, message)?;
        Ok(self.connection.flush()?)
    }

    /// Gives what is dragged to whoever asks for it.
    fn hand_over(&self, request: &SelectionRequestEvent) -> Result<(), Failure> {
        let (mode, property, kind) = (PropMode::REPLACE, request.property, request.target);
        self.connection.change_property8(mode, request.requestor, property, kind, self.uris.as_bytes())?;
        let done = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property,
        };
        self.connection.send_event(false, request.requestor, EventMask::NO_EVENT, done)?;
        Ok(self.connection.flush()?)
    }

    /// What the display says next, within a time limit.
    fn next(&self) -> Result<Event, Failure> {
        let start = Instant::now();
        while start.elapsed() < TIME_LIMIT {
            if let Some(event) = self.connection.poll_for_event()? {
                return Ok(event);
            }
            thread::sleep(Duration::from_millis(2));
        }
        Err("the window did not answer".into())
    }
}
