// Package caption is SynTIC: it describes a picture by projecting its CLIP
// feature onto a memory of text features, attending to the objects that DETR
// finds, and letting a language model continue from there.
//
// Source: Liu et al., "Improving Cross-Modal Alignment with Synthetic Pairs for
// Text-Only Image Captioning", AAAI 2024: equation 3 is Memory's projection,
// equations 4 and 5 the auxiliary feature in Prefix.
package caption
