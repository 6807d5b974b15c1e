//! The stages joined: from a graph to something that runs.
