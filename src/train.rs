//! Training a model.
