//! Matrix products: packed micro-kernels chosen at run time.
