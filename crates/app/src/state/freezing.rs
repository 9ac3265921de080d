//! What is trained: the selection, in A.

use stethoscope_core::freezing::FreezeRequest;

use super::State;
use crate::freezing::Phase;
use crate::platform::Side;

impl State {
    /// What training would be asked. Without `trains` only what that would cost.
    ///
    /// # Errors
    /// What is missing, and so what to do.
    pub fn freeze_request(&self, trains: bool) -> Result<FreezeRequest, String> {
        let a = self.slot(Side::A).opened().ok_or("open A, the model to train, first")?;
        let train = self.selecting.to_measure();
        let train = train.ok_or("select something first: the selection names nothing that is there")?;
        self.freezing.request(&a.inspection.reference, train, trains)
    }

    /// Trains, or works out what that would cost.
    pub fn freeze(&mut self, trains: bool) {
        if self.freezing.phase() != Phase::Idle {
            return;
        }
        if let Ok(request) = self.freeze_request(trains) {
            self.freezing.start(request, self.platform.as_mut());
        }
    }

    /// Opens what was trained as B; if the model that was trained is still A, they are measured.
    pub fn open_trained(&mut self) {
        if let Some(reference) = self.freezing.result() {
            self.open(Side::B, &reference);
            self.shows_delta = true;
        }
    }
}
