package sd

import (
	"testing"

	"syntic/kernels/par"
	"syntic/models/vision"
)

// What the host does for eight pictures of 512×512, beside the text encoder's tokens
// and the pictures' files (models/vision has those).

func BenchmarkNoise(b *testing.B) {
	for name, torch := range map[string]bool{"syntic": false, "torch": true} {
		b.Run(name, func(b *testing.B) {
			of := make([]*noise, 8)
			for i := range of {
				of[i] = newNoise(uint64(i), torch, 4)
			}
			pool := par.New(2)
			defer pool.Close()
			all, x := newNoises(pool, of), make([]float32, 8*64*64*4)
			b.ReportAllocs()
			for b.Loop() {
				all.Fill(x)
			}
		})
	}
}

func BenchmarkLevels(b *testing.B) {
	pool := par.New(2)
	defer pool.Close()
	p, out := &Pipeline{pool: pool}, make([]*vision.Picture, 8)
	for i := range out {
		out[i] = vision.NewPicture(512, 512)
	}
	sample := wave(3, 8*512*512*3)
	for b.Loop() {
		if err := p.levels(out, sample); err != nil {
			b.Fatal(err)
		}
	}
}
