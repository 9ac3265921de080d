//! Sending bytes to a device and doing nothing with them: what the engine's speed is measured against.

use std::collections::VecDeque;

use stethoscope_core::source::Block;

use crate::batches::SLOTS;
use crate::device::Gpu;
use crate::slot::{side_bytes, write};
use crate::target;

/// Buffers of the engine's size and number, filled in turn.
pub struct Upload<'gpu> {
    gpu: &'gpu Gpu,
    buffers: Vec<wgpu::Buffer>,
    /// The buffer that is filled, and how far it is.
    filling: usize,
    filled: u64,
    under_way: VecDeque<wgpu::SubmissionIndex>,
}

impl<'gpu> Upload<'gpu> {
    /// Empty buffers.
    pub fn new(gpu: &'gpu Gpu) -> Self {
        let buffer = |_| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("upload"),
                size: side_bytes(gpu),
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        // Two sides.
        Self { gpu, buffers: (0..2 * SLOTS).map(buffer).collect(), filling: 0, filled: 0, under_way: VecDeque::new() }
    }

    /// Sends a block, which is no larger than a buffer; what is larger is cut off.
    pub fn send(&mut self, block: &Block) {
        let size = self.buffers[self.filling].size();
        let block = block.slice(0..block.length().min(size as usize));
        let bytes = (block.length() as u64).next_multiple_of(4);
        if self.filled + bytes > size {
            self.turn();
        }
        write(self.gpu, &self.buffers[self.filling], self.filled, &block);
        self.filled += bytes;
    }

    /// Hands the buffer over and goes on to the next, once that has arrived.
    fn turn(&mut self) {
        self.under_way.push_back(self.gpu.queue.submit([]));
        self.filling = (self.filling + 1) % self.buffers.len();
        self.filled = 0;
        if self.under_way.len() == self.buffers.len() {
            self.under_way.pop_front().into_iter().for_each(|index| target::wait(&self.gpu.device, index));
        }
    }

    /// Waits until everything has arrived. (In a browser it does not wait: there, a page of its own measures this.)
    pub fn finish(mut self) {
        self.turn();
        self.under_way.pop_back().into_iter().for_each(|index| target::wait(&self.gpu.device, index));
    }
}
