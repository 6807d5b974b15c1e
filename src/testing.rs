//! The tests inside `.rnn` files.
