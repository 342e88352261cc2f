// Package clip is CLIP with a vision transformer: a picture or a text becomes a
// feature, a point of one common space. It covers the whole ViT family and the
// text encoders of Stable Diffusion; config.json decides the sizes.
//
// Source: Radford et al., "Learning Transferable Visual Models From Natural
// Language Supervision", arXiv 2103.00020; names and details as in transformers
// models/clip/modeling_clip.py.
package clip
