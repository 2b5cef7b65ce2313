//! Ports chosen at run time.
//!
//! The ports are traits with `impl Future` in their answers, so that the functions on Lambda pay for no boxes. A
//! library's user wants one type instead, whatever lies behind it. Here each call of a port has a twin whose future
//! is boxed, and a handle that is a port again.

mod engine;
mod logs;
mod store;

pub use engine::AnyEngine;
pub use logs::AnyLogSource;
pub use store::{AnyStore, Store};

/// The type of an argument: by reference, as an optional reference, or by value.
macro_rules! argument {
    (by $lifetime:lifetime, reference $type:ty) => { &$lifetime $type };
    (by $lifetime:lifetime, option $type:ty) => { Option<&$lifetime $type> };
    (by $lifetime:lifetime, value $type:ty) => { $type };
}

/// Writes the boxed twin of a port, and the port for a handle whose field 0 leads to the twin.
macro_rules! erase {
    ($port:ident as $erased:ident for $handle:ident {
        $(fn $name:ident($($argument:ident: $how:ident $type:ty),*) -> $answer:ty;)*
    }) => {
        pub(super) trait $erased: Send + Sync {
            $(fn $name<'a>(&'a self, $($argument: argument!(by 'a, $how $type)),*)
                -> futures_util::future::BoxFuture<'a, $answer>;)*
        }

        impl<T: $port> $erased for T {
            $(fn $name<'a>(&'a self, $($argument: argument!(by 'a, $how $type)),*)
                -> futures_util::future::BoxFuture<'a, $answer>
            {
                Box::pin($port::$name(self, $($argument),*))
            })*
        }

        impl $port for $handle {
            $(async fn $name(&self, $($argument: argument!(by '_, $how $type)),*) -> $answer {
                $erased::$name(&*self.0, $($argument),*).await
            })*
        }
    };
}

use {argument, erase};
