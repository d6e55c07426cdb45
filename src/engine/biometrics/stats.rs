//! Medians and moments of small lists. Nothing of an empty list.

use crate::engine::number::sqrt;

/// Sorts `values`; none may be not a number.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The value that a share of `percent` lies below; `sorted` is.
pub(super) fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted.get((sorted.len().checked_sub(1)? * percent + 50) / 100).copied()
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / count(values)) }
}

/// Of the whole list, not of a sample.
pub(super) fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    Some(values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count(values))
}

pub(super) fn deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 { None } else { variance(values).map(sqrt) }
}

/// `part` ÷ `whole`, if there is a whole.
pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then_some(part / whole)
}

/// How many, as a float: lists have at most 2,000 entries.
pub(super) fn count<T>(values: &[T]) -> f64 {
    f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0]), Some(3.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0, 5.0], 90), Some(5.0));
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0, 5.0], 25), Some(2.0));
        assert_eq!(percentile(&[], 25), None);
    }

    #[test]
    fn moments_are_those_of_the_population() {
        assert_eq!(mean(&[1.0, 3.0]), Some(2.0));
        assert_eq!(variance(&[1.0, 3.0]), Some(1.0));
        assert_eq!(deviation(&[1.0, 3.0]), Some(1.0));
        assert_eq!(deviation(&[1.0]), None);
        assert_eq!(mean(&[]), None);
    }
}
