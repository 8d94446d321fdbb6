//! New, edited, unchanged, withdrawn or out of order.
