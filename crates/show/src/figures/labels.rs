//! Names beside points, so that few of them cover each other or a point.

use super::paper::{At, SMALL, text_width};

/// A rectangle: left, top, right, bottom, in pixels.
type Area = [f64; 4];

/// Height of a name.
const HEIGHT: f64 = 13.0;
/// From a point to the nearest edge of its name, nearer places first.
const DISTANCES: [f64; 4] = [7.0, 18.0, 32.0, 48.0];
/// Directions in which a name may stand, those that read best first.
const DIRECTIONS: [(f64, f64); 8] =
    [(1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (0.8, -0.8), (0.8, 0.8), (-0.8, -0.8), (-0.8, 0.8)];

/// A point with a name, and the line of its interval from top to bottom.
pub(super) struct Named<'a> {
    /// Where the point is.
    pub at: (f64, f64),
    /// Its name.
    pub name: &'a str,
    /// From where to where its interval goes down the page.
    pub interval: Option<(f64, f64)>,
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// The point that it stands at, in the middle from top to bottom.
    pub at: (f64, f64),
    /// On which side of that point.
    pub side: At,
    /// Where a line from the point to the name ends; none where the name is so near that it needs none.
    pub leader: Option<(f64, f64)>,
}

/// How bad it is to cover a square pixel of a point or a name, of the line of an interval, which is faint, and of another line.
const COSTS: [f64; 3] = [1.0, 0.05, 0.1];
/// How bad it is to be a pixel farther away.
const DISTANCE_COST: f64 = 0.3;

/// A place inside `bounds` for every name, in the order of the points: of the places around its point the one that covers least of
/// points, names and `line`, a near one before a far one.
pub(super) fn place(points: &[Named<'_>], line: Area, bounds: Area) -> Vec<Place> {
    let [whole, interval, other] = COSTS;
    // What had better not be covered, and how bad it is per square pixel.
    let mut taken: Vec<(Area, f64)> = vec![(line, other)];
    for point in points {
        let (x, y) = point.at;
        taken.push(([x - 6.0, y - 6.0, x + 6.0, y + 6.0], whole));
        if let Some((top, bottom)) = point.interval {
            taken.push(([x - 1.5, top, x + 1.5, bottom], interval));
        }
    }
    let mut places = Vec::with_capacity(points.len());
    for point in points {
        let (mut best, mut least) = (candidate(point, DIRECTIONS[0], DISTANCES[0]), f64::INFINITY);
        let around = DISTANCES.iter().flat_map(|distance| DIRECTIONS.map(|direction| (direction, *distance)));
        for (direction, distance) in around {
            let (place, area) = candidate(point, direction, distance);
            let cost = covered(area, &taken) + 100.0 * outside(area, bounds) + DISTANCE_COST * distance;
            if cost < least {
                (best, least) = ((place, area), cost);
            }
        }
        taken.push((best.1, whole));
        places.push(best.0);
    }
    places
}

fn candidate(point: &Named<'_>, (right, down): (f64, f64), distance: f64) -> (Place, Area) {
    let width = text_width(point.name, SMALL);
    let (x, y) = (point.at.0 + right * distance, point.at.1 + down * distance);
    let (side, left) = match right {
        right if right > 0.0 => (At::Start, x),
        right if right < 0.0 => (At::End, x - width),
        _ => (At::Middle, x - width / 2.0),
    };
    let middle = if right == 0.0 { y + down.signum() * HEIGHT / 2.0 } else { y };
    let leader = (distance > DISTANCES[0]).then_some((x, y));
    let area = [left, middle - HEIGHT / 2.0, left + width, middle + HEIGHT / 2.0];
    (Place { at: (x, middle), side, leader }, area)
}

fn covered([left, top, right, bottom]: Area, taken: &[(Area, f64)]) -> f64 {
    let overlap = |([from, high, to, low], weight): &(Area, f64)| {
        let (width, height) = (right.min(*to) - left.max(*from), bottom.min(*low) - top.max(*high));
        if width > 0.0 && height > 0.0 { width * height * weight } else { 0.0 }
    };
    taken.iter().map(overlap).sum()
}

/// By how many pixels an area reaches out of the bounds.
fn outside([left, top, right, bottom]: Area, [from, high, to, low]: Area) -> f64 {
    [from - left, high - top, right - to, bottom - low].into_iter().map(|beyond| beyond.max(0.0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(place: &Place, name: &str) -> Area {
        let (x, middle) = place.at;
        let width = text_width(name, SMALL);
        let left = match place.side {
            At::Start => x,
            At::Middle => x - width / 2.0,
            At::End => x - width,
        };
        [left, middle - HEIGHT / 2.0, left + width, middle + HEIGHT / 2.0]
    }

    #[test]
    fn names_of_points_close_together_stand_apart_and_inside() {
        let names = ["q_proj", "k_proj", "v_proj", "o_proj", "norms", "mlp"];
        let points: Vec<Named<'_>> = (0_u32..)
            .zip(&names)
            .map(|(at, name)| Named { at: (190.0, 100.0 + f64::from(at)), name, interval: Some((60.0, 140.0)) })
            .collect();
        let bounds = [0.0, 0.0, 200.0, 200.0];
        let places = place(&points, [0.0; 4], bounds);
        for (at, (place, name)) in places.iter().zip(&names).enumerate() {
            assert_eq!(outside(area(place, name), bounds), 0.0, "{name}");
            let others: Vec<(Area, f64)> =
                places.iter().zip(&names).take(at).map(|(other, name)| (area(other, name), 1.0)).collect();
            assert_eq!(covered(area(place, name), &others), 0.0, "{name}");
        }
    }

    #[test]
    fn a_point_alone_has_its_name_at_its_right_without_a_line() {
        let point = Named { at: (50.0, 50.0), name: "o_proj", interval: None };
        let places = place(&[point], [0.0, 150.0, 200.0, 151.0], [0.0, 0.0, 200.0, 200.0]);
        assert_eq!(places, [Place { at: (57.0, 50.0), side: At::Start, leader: None }]);
    }
}
