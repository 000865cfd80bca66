//! A queue that is shared as a whole.

use std::collections::VecDeque;

use super::Shared;

/// A queue, shared as a whole: the first change after a clone copies it. For what is short, or seldom cloned.
#[derive(Debug)]
pub struct Vector<T>(Option<Shared<VecDeque<T>>>);

impl<T> Vector<T> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Vector(None)
    }
    /// Items in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_deref().map_or(0, VecDeque::len)
    }
    /// True if nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Empties it.
    pub fn clear(&mut self) {
        self.0 = None;
    }
    /// Item `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.0.as_deref()?.get(index)
    }
    /// The first item.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        self.get(0)
    }
    /// The last item.
    #[must_use]
    pub fn back(&self) -> Option<&T> {
        self.0.as_deref()?.back()
    }
    /// The last item.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.back()
    }
    /// All in order.
    #[must_use]
    pub fn iter(&self) -> std::collections::vec_deque::Iter<'_, T> {
        self.into_iter()
    }
    /// True if an equal item is there.
    #[must_use]
    pub fn contains(&self, item: &T) -> bool
    where
        T: PartialEq,
    {
        self.iter().any(|other| other == item)
    }
}

impl<T: Clone> Vector<T> {
    fn all(&mut self) -> &mut VecDeque<T> {
        self.0.get_or_insert_default().own()
    }
    /// Puts an item at the end.
    pub fn push_back(&mut self, item: T) {
        self.all().push_back(item);
    }
    /// Puts an item before the first.
    pub fn push_front(&mut self, item: T) {
        self.all().push_front(item);
    }
    /// Takes the first item.
    pub fn pop_front(&mut self) -> Option<T> {
        if self.is_empty() { None } else { self.all().pop_front() }
    }
    /// Takes the last item.
    pub fn pop_back(&mut self) -> Option<T> {
        if self.is_empty() { None } else { self.all().pop_back() }
    }
    /// Item `index`, to be changed.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if self.is_empty() { None } else { self.all().get_mut(index) }
    }
    /// The first item, to be changed.
    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.get_mut(0)
    }
    /// The last item, to be changed.
    pub fn back_mut(&mut self) -> Option<&mut T> {
        if self.is_empty() { None } else { self.all().back_mut() }
    }
    /// Puts an item before item `index`.
    ///
    /// # Panics
    /// `index` is greater than the length.
    pub fn insert(&mut self, index: usize, item: T) {
        self.all().insert(index, item);
    }
    /// Takes item `index` out.
    ///
    /// # Panics
    /// There is no such item.
    pub fn remove(&mut self, index: usize) -> T {
        match self.all().remove(index) {
            Some(item) => item,
            None => panic!("no item {index} to take out"),
        }
    }
    /// Drops all from item `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.all().truncate(len);
        }
    }
    /// Keeps the items that pass.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        if !self.is_empty() {
            self.all().retain(keep);
        }
    }
    /// Puts all of another behind the last.
    pub fn append(&mut self, other: Self) {
        self.extend(other);
    }
    /// All in order, to be changed.
    pub fn iter_mut(&mut self) -> std::collections::vec_deque::IterMut<'_, T> {
        self.all().iter_mut()
    }
}

impl<T> Clone for Vector<T> {
    fn clone(&self) -> Self {
        Vector(self.0.clone())
    }
}

impl<T> Default for Vector<T> {
    fn default() -> Self {
        Vector::new()
    }
}

impl<T: PartialEq> PartialEq for Vector<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Vector<T> {}

impl<T> std::ops::Index<usize> for Vector<T> {
    type Output = T;
    fn index(&self, index: usize) -> &T {
        match self.get(index) {
            Some(item) => item,
            None => panic!("no item {index} in {}", self.len()),
        }
    }
}

impl<T: Clone> std::ops::IndexMut<usize> for Vector<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.all()[index]
    }
}

impl<T: Clone> Extend<T> for Vector<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        self.all().extend(items);
    }
}

impl<T> FromIterator<T> for Vector<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let all: VecDeque<T> = items.into_iter().collect();
        Vector((!all.is_empty()).then(|| Shared::new(all)))
    }
}

impl<'a, T> IntoIterator for &'a Vector<T> {
    type Item = &'a T;
    type IntoIter = std::collections::vec_deque::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        match &self.0 {
            Some(all) => all.iter(),
            None => Default::default(),
        }
    }
}

impl<T: Clone> IntoIterator for Vector<T> {
    type Item = T;
    type IntoIter = std::collections::vec_deque::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.map(Shared::into_inner).unwrap_or_default().into_iter()
    }
}
