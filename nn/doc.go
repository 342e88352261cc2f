// Package nn has the layers that models are made of: structs whose `w:"…"` tags
// are the checkpoints' names, and the loader that fills them.
//
// A layer holds parameters and records operations; it executes nothing and
// knows no device. Models import it.
package nn
