package token

import (
	"strings"
	"testing"
)

func BenchmarkEncode(b *testing.B) {
	caption := "A man riding a wave on top of a surfboard, while others watch. "
	for name, text := range map[string]string{
		"caption":  caption,
		"english":  strings.Repeat(caption, 1000),
		"accented": strings.Repeat("un café à l’été — naïve résumé, Ünïcödé! ", 1000),
		"chinese":  strings.Repeat("一只猫坐在垫子上。", 2000),
		"letters":  strings.Repeat("a", 1_000_000),
	} {
		b.Run(name, func(b *testing.B) {
			tok := load(b, "golden/tokenizer", Options{})
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				tok.Encode(text)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		load(b, "golden/tokenizer", Options{})
	}
}
