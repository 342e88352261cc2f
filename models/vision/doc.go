// Package vision turns picture files into the tensors that CLIP and DETR read,
// and draws results back onto pictures.
//
// Decoding, resizing and normalising follow Pillow and Hugging Face's image
// processors to the last bit where those are defined to the bit; [Decode] says
// where they are not. Every picture that comes from outside passes the limits
// of [Limits] before memory is reserved for it.
//
// It is not an imaging library: no colour management, no editing, RGB only.
// Room 4: importable by models/* above it, tools and cmd.
package vision
