//! The effectful half of the link tool: observe, run a plan with a journal, watch.
