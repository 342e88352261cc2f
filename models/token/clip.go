package token

import (
	"bytes"
	_ "embed" // CLIP's vocabulary
)

// Source: openai/CLIP, clip/bpe_simple_vocab_16e6.txt.gz, MIT licence
// (LICENSE.vocabulary).
//
//go:embed bpe_simple_vocab_16e6.txt.gz
var clipMerges []byte

// CLIP returns the tokenizer of every published CLIP and of Stable Diffusion v1,
// for checkpoints that come without one.
func CLIP(o Options) (*Tokenizer, error) { return NewOpenAI(bytes.NewReader(clipMerges), o) }
