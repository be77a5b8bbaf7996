//! Documents made from a router's [`Tree`](crate::Tree).

pub(crate) mod rst;
