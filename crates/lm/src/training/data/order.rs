//! In which order examples are learnt, and which of them together.

use stethoscope_exam::statistics::Draws;

/// The order of examples in every epoch, and the blocks that they are packed into.
///
/// An epoch's order depends on the seed and on its number alone, through [`random`](stethoscope_core::random): whoever goes on later
/// needs no more than the seed, the epoch, and how many of its blocks are done. Examples are packed first-fit: each goes into the
/// first block that still has room for it. That fills blocks better than going on to a new one whenever an example does not fit,
/// and needs no look at examples still to come. As it gathers short examples in early blocks, the blocks themselves are put into
/// a drawn order, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    lengths: Vec<usize>,
    block: usize,
    seed: u64,
}

impl Order {
    /// The order of examples of these lengths, in tokens, in blocks of at most `block` tokens. An example longer than that has a block
    /// to itself.
    pub fn new(lengths: &[usize], block: usize, seed: u64) -> Self {
        Self { lengths: lengths.to_vec(), block, seed }
    }

    /// The examples of each block of an epoch, by their numbers; each example is in one of them. How many blocks there are may differ
    /// between epochs.
    pub fn blocks(&self, epoch: u64) -> Vec<Vec<usize>> {
        let mut draws = Draws::new(self.seed, &format!("freeze.order/{epoch}"));
        let mut order: Vec<usize> = (0..self.lengths.len()).collect();
        draws.shuffle(&mut order);
        let mut rooms = Rooms::new(order.len(), self.block);
        let mut blocks = vec![Vec::new(); order.len()];
        for example in order {
            // What is too long fills a block.
            let length = self.lengths.get(example).copied().unwrap_or_default().min(self.block);
            if let Some(block) = blocks.get_mut(rooms.take(length)) {
                block.push(example);
            }
        }
        blocks.retain(|block| !block.is_empty());
        draws.shuffle(&mut blocks);
        blocks
    }
}

/// The room in each of a number of blocks, as a tree in an array: node `n` has the children `2n` and `2n + 1`, and the most room of
/// both; the leaves are the blocks. So the first block with enough room is found without looking at all.
struct Rooms {
    most: Vec<usize>,
    leaves: usize,
}

impl Rooms {
    fn new(blocks: usize, room: usize) -> Self {
        let leaves = blocks.next_power_of_two();
        Self { most: vec![room; 2 * leaves], leaves }
    }

    /// Takes room in the first block that has it, and says which that is. There is always one, as there are as many blocks as there are
    /// examples, and none needs more than a block.
    fn take(&mut self, length: usize) -> usize {
        let mut node = 1;
        while node < self.leaves {
            let is_left = self.most.get(2 * node).is_some_and(|&room| room >= length);
            node = if is_left { 2 * node } else { 2 * node + 1 };
        }
        let block = node - self.leaves;
        if let Some(room) = self.most.get_mut(node) {
            *room = room.saturating_sub(length);
        }
        while node > 1 {
            node /= 2;
            let children = self.most.get(2 * node).max(self.most.get(2 * node + 1)).copied();
            if let (Some(room), Some(most)) = (self.most.get_mut(node), children) {
                *room = most;
            }
        }
        block
    }
}
