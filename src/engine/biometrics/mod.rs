//! Behaviour: keystroke, mouse and touch features, and the seed's own analysis of them.
