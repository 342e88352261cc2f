package sched

import (
	"math"
	"math/bits"
)

// Source fills a slice with independent numbers of the standard normal
// distribution and goes on where it stopped.
type Source interface {
	Fill(dst []float32)
}

// Normal is the program's own generator. Its number k is a function of the seed
// and k alone, so the same seed gives the same noise however the calls are cut,
// whatever the number of threads and pictures. Both fields are its whole state.
//
// Numbers 2j and 2j+1 come from the block j: Philox4x32-10 with the seed as key
// (low word first) and j as counter (low word first, the upper two words zero)
// gives four words w0..w3; u = ((w1·2³²+w0)>>11 + ½)·2⁻⁵³ and v likewise of w3
// and w2; the numbers are √(-2 ln u)·cos 2πv and √(-2 ln u)·sin 2πv in float64,
// rounded to float32. A processor whose last bit of a float64 logarithm or sine
// differs can change one float32 in some hundred million by its last bit.
//
// Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3"; Box and
// Muller, "A Note on the Generation of Random Normal Deviates".
type Normal struct {
	Seed uint64
	Next uint64 // index of the next number
}

// Fill implements Source.
func (g *Normal) Fill(dst []float32) {
	for k := 0; k < len(dst); {
		a, b := g.pair(g.Next / 2)
		if g.Next%2 == 0 {
			dst[k] = a
			k++
			g.Next++
			if k == len(dst) {
				return
			}
		}
		dst[k] = b
		k++
		g.Next++
	}
}

// pair returns the numbers of a block.
func (g *Normal) pair(block uint64) (a, b float32) {
	w := philox([4]uint32{uint32(block), uint32(block >> 32)}, [2]uint32{uint32(g.Seed), uint32(g.Seed >> 32)})
	u := unit(uint64(w[1])<<32 | uint64(w[0]))
	v := unit(uint64(w[3])<<32 | uint64(w[2]))
	r := math.Sqrt(-2 * math.Log(u))
	sin, cos := math.Sincos(2 * math.Pi * v)
	return float32(r * cos), float32(r * sin)
}

// unit maps 64 random bits to (0,1).
func unit(x uint64) float64 { return (float64(x>>11) + 0.5) * 0x1p-53 }

// philox is Philox4x32 with ten rounds.
func philox(x [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, x[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, x[2])
		x = [4]uint32{hi1 ^ x[1] ^ key[0], lo1, hi0 ^ x[3] ^ key[1], lo0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return x
}
