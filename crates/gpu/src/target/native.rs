//! Vulkan, Metal, DX12.

use futures_channel::oneshot::Receiver;
use stethoscope_core::source::Block;

/// What adapters are looked for in.
pub const BACKENDS: wgpu::Backends = wgpu::Backends::PRIMARY;

/// Writes as many of the block's bytes as make whole words to `buffer` from `offset` on; says how many.
pub fn write_whole_words(queue: &wgpu::Queue, buffer: &wgpu::Buffer, offset: u64, block: &Block) -> usize {
    let whole = block.length() / 4 * 4;
    queue.write_buffer(buffer, offset, &block.bytes()[..whole]);
    whole
}

/// Blocks until the device has done what was submitted up to `index`, and its callbacks have been called.
pub fn wait(device: &wgpu::Device, index: wgpu::SubmissionIndex) {
    // A device that was lost has called its callbacks too; they say so.
    let _ = device.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None });
}

/// What a callback of work up to `index` sends (it can be asked for again if this is dropped); none if the device has done with it and nothing came.
pub async fn answer<T>(device: &wgpu::Device, index: wgpu::SubmissionIndex, callback: &mut Receiver<T>) -> Option<T> {
    wait(device, index);
    callback.try_recv().ok().flatten()
}

/// Lets the device call back, if it has something to say.
pub fn listen(device: &wgpu::Device) {
    let _ = device.poll(wgpu::PollType::Poll);
}
