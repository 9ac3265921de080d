//! The second kernel against its twin. (What the first is held to is in core, for every engine.)

use stethoscope_core::conformance::Case;
use stethoscope_core::dtype::Dtype;
use stethoscope_core::kernels::SquaredNorms;
use stethoscope_core::source::Block;

use crate::device::Gpu;
use crate::rows_and_columns::RowsAndColumns;

/// Formats and shapes of the matrices: one element, fewer than a tile, and more, of odd sizes.
const MATRICES: [(Dtype, Dtype, usize, usize); 8] = [
    (Dtype::BF16, Dtype::BF16, 1, 1),
    (Dtype::BF16, Dtype::BF16, 70, 300),
    (Dtype::BF16, Dtype::BF16, 600, 67),
    (Dtype::F16, Dtype::F16, 33, 65),
    (Dtype::F32, Dtype::F32, 257, 64),
    (Dtype::F8_E4M3, Dtype::F8_E4M3, 31, 1001),
    (Dtype::F8_E5M2, Dtype::BF16, 40, 129),
    (Dtype::BF16, Dtype::F32, 50, 333),
];

/// Has a device find how much rows and columns of some matrices changed, and compares with the CPU. Returns how many of them
/// were computed on the device.
///
/// # Errors
/// A sentence for every matrix with a row or column that is off by more than `tolerance`, relatively.
pub async fn check_rows_and_columns(gpu: &Gpu, tolerance: f64) -> Result<usize, Vec<String>> {
    let (mut on_gpu, mut wrong) = (0, Vec::new());
    for (seed, (a, b, rows, columns)) in (1000..).zip(MATRICES) {
        let case = Case::random(seed, a, b, (rows * columns) as u64, &[]);
        let [bytes_a, bytes_b] = [(&case.pair.a, &case.a), (&case.pair.b, &case.b)].map(|(tensor, arrays)| {
            let at = tensor.storage.values();
            arrays[at.shard][at.bytes.start as usize..at.bytes.end as usize].to_vec()
        });
        let mut expected = SquaredNorms::new(columns);
        expected.add_rows((a, &bytes_a), (b, &bytes_b));
        let mut found = RowsAndColumns::new(gpu, a, b, columns);
        // In two pieces, as a matrix larger than a step comes.
        let half = rows / 2;
        let [cut_a, cut_b] = [a, b].map(|dtype| half * columns * dtype.bytes() as usize);
        let (block_a, block_b) = (Block::from(bytes_a), Block::from(bytes_b));
        found.add_rows(&block_a.slice(0..cut_a), &block_b.slice(0..cut_b)).await;
        found.add_rows(&block_a.slice(cut_a..block_a.length()), &block_b.slice(cut_b..block_b.length())).await;
        on_gpu += usize::from(found.is_on_gpu());
        let found = found.finish();
        let close = |found: &[f64], expected: &[f64]| {
            let mut both = found.iter().zip(expected);
            found.len() == expected.len()
                && both.all(|(found, expected)| (found - expected).abs() <= tolerance * expected)
        };
        if !close(&found.rows, &expected.rows) || !close(&found.columns, &expected.columns) {
            wrong.push(format!("rows and columns of {rows} × {columns}, {a} against {b}, are wrong"));
        }
    }
    if wrong.is_empty() { Ok(on_gpu) } else { Err(wrong) }
}
