// Package decoder is the language model that writes captions: a GPT-2 style
// transformer that continues a prefix of vectors, with greedy, beam and sampled
// decoding over a cache of keys and values. Tokens are ranked on the device; the host
// chooses among the likeliest of each row, and reads all its logits only where a sample
// depends on them.
//
// Source: names and details as in transformers models/gpt2/modeling_gpt2.py;
// SynTIC uses 4 layers of 4 heads, trained from scratch.
package decoder
