//! How often a request is tried, and how long to wait in between.

use std::time::Duration;

use crate::http::Response;

/// Tries of one request, the first included.
pub const TRIES: u32 = 5;

/// The pause before the second try; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest time that a server may ask to wait before another try.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The pauses between the tries of one request: they grow, differ from client to client, and honour what the server asks.
#[derive(Clone, Debug)]
pub struct Pauses {
    pause: Duration,
    tries: u32,
}

/// Why there is no other try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// It was tried often enough.
    Tried,
    /// The server asks for so much patience, in seconds, that a person had better decide.
    LongWait(u64),
}

impl Default for Pauses {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE, tries: 1 }
    }
}

impl Pauses {
    /// How often it has been tried.
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    /// How long to wait before another try, if the server `asked` for some time; `random` is a number from 0 to 1.
    ///
    /// # Errors
    /// If there is to be no other try.
    pub fn next(&mut self, asked: Option<Duration>, random: f64) -> Result<Duration, GivenUp> {
        if self.tries == TRIES {
            return Err(GivenUp::Tried);
        }
        if let Some(asked) = asked.filter(|asked| *asked > LONGEST_WAIT) {
            return Err(GivenUp::LongWait(asked.as_secs()));
        }
        // Between half of the pause and all of it, but never earlier than the server asked.
        let jittered = self.pause.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0));
        self.pause *= 2;
        self.tries += 1;
        Ok(asked.map_or(jittered, |asked| asked + jittered))
    }
}

/// Whether a refusal of this status is one for now, so that another try may do better.
pub const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
}

impl Response {
    /// How long the server asks to wait before another request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs)
    }
}
