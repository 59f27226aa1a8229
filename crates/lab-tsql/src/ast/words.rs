//! Closed sets of words, one declaration for the type, its spelling and the list that the parser tries.

/// Declares an `enum` whose variants are words of T-SQL.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every one of them, in the order declared.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// As it is written, which is also what the catalog views show.
            pub fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }
        }
    };
}

pub(crate) use words;
