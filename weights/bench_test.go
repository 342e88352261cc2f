package weights

import (
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkOpen opens a checkpoint with as many tensors as the full UNet.
func BenchmarkOpen(b *testing.B) {
	var list []Info
	for i := range 686 {
		list = append(list, Info{Name: fmt.Sprintf("down_blocks.0.attentions.0.transformer_blocks.%d.attn1.to_q.weight", i), Shape: []int{8, 8}, Data: make([]byte, 256)})
	}
	path := filepath.Join(b.TempDir(), "m.safetensors")
	if err := Write(path, list, nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		src, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := src.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFinite scans 64 MiB of F32.
func BenchmarkFinite(b *testing.B) {
	src := fake{"w": {Name: "w", Shape: []int{1 << 24}, Data: make([]byte, 64<<20)}}
	b.SetBytes(64 << 20)
	for b.Loop() {
		if bad, err := Finite(src); err != nil || len(bad) > 0 {
			b.Fatal(bad, err)
		}
	}
}
