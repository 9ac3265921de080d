use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::checkpoint::Checkpoint;
use crate::compute::InlineCompute;
use crate::report::RelativeDefinition;
use crate::source::{ByteSource, ReadFuture};
use crate::synthetic::{PLANTED_BASE, PLANTED_TUNED, planted};

/// A source like one far away: it counts how often it is asked, and answers only when asked again.
struct Distant {
    source: Arc<dyn ByteSource>,
    read_size: u64,
    reads: Arc<AtomicUsize>,
}

impl ByteSource for Distant {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn length(&self) -> u64 {
        self.source.length()
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let mut asked = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut asked, true) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            self.source.read(range).await
        })
    }

    fn read_size(&self) -> u64 {
        self.read_size
    }
}

/// The planted pair's delta, with both sides at this distance, and how many reads its weights took.
fn delta_from(read_size: u64) -> (DeltaReport, usize) {
    let reads = Arc::new(AtomicUsize::new(0));
    let model = |name| {
        let mut files = planted(name).unwrap();
        for source in &mut files.shards {
            *source = Arc::new(Distant { source: source.clone(), read_size, reads: reads.clone() });
        }
        Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None)
    };
    let (a, b) = (model(PLANTED_BASE), model(PLANTED_TUNED));
    let request = DeltaRequest {
        a: PLANTED_BASE.into(),
        b: PLANTED_TUNED.into(),
        select: "attn + norm".into(),
        relative: RelativeDefinition::Script,
        norms_only: true,
        spectrum: false,
    };
    // The fingerprints' reads are not what is counted here.
    reads.store(0, Ordering::Relaxed);
    let _ = (pollster::block_on(a.summary()).unwrap(), pollster::block_on(b.summary()).unwrap());
    let samples = reads.swap(0, Ordering::Relaxed);
    let mut compute = InlineCompute::new(InstructionSet::Portable);
    let mut observe = async |_: Event| Ok::<(), Cancelled>(());
    let report = pollster::block_on(delta(&a, &b, &request, &mut compute, &mut observe)).unwrap();
    (report, reads.load(Ordering::Relaxed) - samples)
}

#[test]
fn reading_neighbours_together_asks_less_often_and_changes_nothing() {
    let (near, reads_near) = delta_from(0);
    let (far, reads_far) = delta_from(8 << 20);
    assert_eq!(near, far);
    assert!(reads_far * 2 < reads_near, "{reads_far} of {reads_near}");
}
