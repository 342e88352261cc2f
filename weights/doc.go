// Package weights reads and writes model checkpoints: safetensors (memory
// mapped, sharded, in memory), PyTorch files (zip, legacy, TorchScript) through
// an unpickler that executes nothing, and synthetic weights computed from a
// seed. It knows the published naming schemes of CLIP, Stable Diffusion, DETR
// and the caption decoder and presents all of them under one canonical name.
//
// It does no arithmetic on tensors beyond dtype conversion, knows no model
// structure and downloads nothing.
//
// Every room may import it; it imports none of ours.
package weights
