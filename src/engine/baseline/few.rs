//! A short list in place: at most `N`, no allocation, and a rule for what falls out.

/// At most `N` values of `T`, oldest first.
#[derive(Clone, Copy)]
pub struct Few<T, const N: usize> {
    items: [T; N],
    len: u8,
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    /// As a slice, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        self.items.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.as_slice().iter()
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.get_mut(..usize::from(self.len)).unwrap_or_default().iter_mut()
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len as usize == N
    }

    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.as_slice().get(index)
    }

    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(..usize::from(self.len)).unwrap_or_default().get_mut(index)
    }

    /// Appends; when full, the one at the least of `worth` falls out first (the older of two equals).
    pub fn push_over<K: Ord>(&mut self, item: T, worth: impl Fn(&T) -> K) {
        if self.is_full() {
            let least = self.iter().enumerate().min_by_key(|(_, item)| worth(item)).map(|(index, _)| index);
            self.remove(least.unwrap_or(0));
        }
        if let Some(free) = self.items.get_mut(usize::from(self.len)) {
            *free = item;
            self.len += 1;
        }
    }

    /// Appends; when full, the oldest falls out.
    pub fn push(&mut self, item: T) {
        self.push_over(item, |_| ());
    }

    pub fn remove(&mut self, index: usize) {
        let mut at = 0;
        self.retain(|_| {
            at += 1;
            at - 1 != index
        });
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.retain_mut(|item| keep(item));
    }

    pub fn retain_mut(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let mut kept = 0_u8;
        for from in 0..usize::from(self.len) {
            let Some(mut item) = self.items.get(from).copied() else { break };
            if keep(&mut item) {
                if let Some(to) = self.items.get_mut(usize::from(kept)) {
                    *to = item;
                }
                kept += 1;
            }
        }
        self.len = kept;
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl<T: Copy + Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        const { assert!(N <= 255, "the length is a byte") };
        Self { items: [T::default(); N], len: 0 }
    }
}

impl<T: Copy + Default + PartialEq, const N: usize> PartialEq for Few<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Copy + Default + Eq, const N: usize> Eq for Few<T, N> {}

impl<T: Copy + Default + std::fmt::Debug, const N: usize> std::fmt::Debug for Few<T, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Copy + Default, const N: usize> IntoIterator for &'a Few<T, N> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pushed: &[u8], expected: &[u8]) {
        let mut few = Few::<u8, 3>::default();
        for item in pushed {
            few.push_over(*item, |item| *item);
        }
        assert_eq!(few.as_slice(), expected);
    }

    #[test]
    fn the_least_falls_out_and_never_the_newest() {
        check(&[5, 6], &[5, 6]);
        check(&[5, 6, 7, 1], &[6, 7, 1]);
        check(&[5, 1, 7, 6], &[5, 7, 6]);
        check(&[5, 6, 7, 1, 2], &[6, 7, 2]);
    }

    #[test]
    fn without_a_worth_the_oldest_falls_out() {
        let mut few = Few::<u8, 2>::default();
        for item in [1, 2, 3] {
            few.push(item);
        }
        assert_eq!(few.as_slice(), [2, 3]);
        few.remove(0);
        few.remove(7);
        assert_eq!(few.as_slice(), [3]);
    }
}
