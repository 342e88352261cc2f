// Package graph records a model once, as a flat list of operations with fixed
// shapes, and turns the list into a Program that a device replays.
//
// The recorder (Builder) checks shapes and lets layers ask for fusions; Build
// runs three passes over the list — shapes while recording, a small peephole
// fusion, and the memory plan — and hands it to a Device. There is no fourth
// pass: a rewrite that a layer can ask for belongs into the layer. Activations
// are [N,H,W,C], always.
//
// Models and layers import this package; devices implement Device. It executes
// nothing itself.
package graph
