// Package overlap computes the caption metrics that count shared words:
// BLEU-1..4, ROUGE-L, CIDEr-D (what the COCO toolkit prints as "CIDEr") and
// plain CIDEr.
//
// It takes texts that are already tokenised (see tools/metrics/ptb) and gives
// the numbers of pycocoevalcap 1.2 in its order of floating-point operations.
// It is not a tokeniser and knows nothing of files or picture names.
//
// Only tools/metrics may import it.
package overlap
