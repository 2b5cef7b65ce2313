//! A value changed within an expression.

/// Gives a type the method `with`. It has AWS's fields and grows as AWS's does: it is `#[non_exhaustive]`, so no other
/// crate writes it as a literal.
macro_rules! with {
    ($changed:ty) => {
        impl $changed {
            /// The same, changed: `with(|it| it.field = value)` sets what has no method of its own.
            #[must_use]
            pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
                change(&mut self);
                self
            }
        }
    };
}

pub(crate) use with;
