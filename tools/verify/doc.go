// Package verify replays a directory of golden tensors, made by PyTorch, on our
// models and says for every case how far the results are apart.
//
// The directory's format is golden/README.md and golden/SPEC.md: a manifest of
// cases, their tensors, a tokenizer's cases and the published names of weights.
// A case whose kind isn't built yet is a failure that says so, never a skip.
//
// It prints nothing and knows no device: the caller gives both. Room 7: only
// cmd imports it.
package verify
