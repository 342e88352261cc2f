package elem

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every half, at an odd address.
func TestHalvesWiden(t *testing.T) {
	b := make([]byte, 1+2<<16)[1:]
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(i))
	}
	eachLevel(t, func(t *testing.T, k *Kernel) {
		f, bf := make([]float32, 1<<16), make([]float32, 1<<16)
		k.FromF16(f, b)
		k.FromBF16(bf, b)
		back := make([]byte, 2<<16)
		k.ToF16(back, f)
		for i := range 1 << 16 {
			sign, exp, frac := 1-2*float64(i>>15), i>>10&31, float64(i&0x3ff)
			var want float64
			switch exp {
			case 0:
				want = sign * math.Ldexp(frac, -24)
			case 31:
				want = sign * math.Inf(1)
				if frac != 0 {
					want = math.NaN()
				}
			default:
				want = sign * math.Ldexp(1024+frac, exp-25)
			}
			if want != want {
				require.True(t, f[i] != f[i], "%#x", i)
				require.Equal(t, uint32(i)>>15<<31|0xff<<23|uint32(i&0x3ff|0x200)<<13, math.Float32bits(f[i]), "payload of %#x", i)
				require.Equal(t, uint16(i|0x200), binary.LittleEndian.Uint16(back[2*i:]))
			} else {
				require.Equal(t, want, float64(f[i]), "%#x", i)
				require.Equal(t, math.Signbit(want), math.Signbit(float64(f[i])))
				require.Equal(t, uint16(i), binary.LittleEndian.Uint16(back[2*i:]))
			}
			require.Equal(t, uint32(i)<<16, math.Float32bits(bf[i]))
		}
	})
}

// Floats between any two neighbouring halves: the neighbours, their middle and
// both sides of it, against rounding done in float64.
func TestHalvesNarrow(t *testing.T) {
	var x []float32
	for i := range 0x7c00 {
		lo, hi := fromHalf(uint16(i)), fromHalf(uint16(i+1))
		if i+1 == 0x7c00 {
			hi = 65536
		}
		mid := lo + (hi-lo)/2
		x = append(x, lo, mid, math.Nextafter32(mid, 0), math.Nextafter32(mid, 1e9), -mid)
	}
	inf := float32(math.Inf(1))
	x = append(x, inf, -inf, 1e9, -1e9, 1e-10, -1e-10, 1e-45, math.Float32frombits(0x7f800001), math.Float32frombits(0xffc12345))
	eachLevel(t, func(t *testing.T, k *Kernel) {
		b := make([]byte, 1+2*len(x))[1:]
		k.ToF16(b, x)
		for i, v := range x {
			got := binary.LittleEndian.Uint16(b[2*i:])
			if v != v {
				bits := math.Float32bits(v)
				require.Equal(t, uint16(bits>>16&0x8000|0x7e00|bits>>13&0x1ff), got)
				continue
			}
			unit := math.Ldexp(1, -24) // of subnormal halves
			if a := math.Abs(float64(v)); a >= math.Ldexp(1, -14) {
				_, e := math.Frexp(a)
				unit = math.Ldexp(1, e-11)
			}
			want := math.RoundToEven(float64(v)/unit) * unit
			if math.Abs(want) > 65504 {
				want = math.Copysign(math.Inf(1), want)
			}
			require.Equal(t, want, float64(fromHalf(got)), "%g", v)
			require.Equal(t, math.Signbit(float64(v)), got>>15 == 1)
		}
	})
}

func TestBF16Narrow(t *testing.T) {
	var x []float32
	for i := range 1 << 15 {
		base := uint32(i) << 16
		for _, low := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
			x = append(x, math.Float32frombits(base|low), math.Float32frombits(base|low|1<<31))
		}
	}
	eachLevel(t, func(t *testing.T, k *Kernel) {
		b := make([]byte, 1+2*len(x))[1:]
		k.ToBF16(b, x)
		for i, v := range x {
			got, bits := binary.LittleEndian.Uint16(b[2*i:]), math.Float32bits(v)
			want := uint16(bits>>16 | 0x40)
			if v == v {
				want = uint16(bits >> 16)
				if rest := bits & 0xffff; rest > 0x8000 || rest == 0x8000 && want&1 == 1 {
					want++
				}
			}
			if want != got {
				require.Equal(t, want, got, "%#x", bits)
			}
		}
	})
}

func TestHalvesOnEveryLength(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pf, pb := newPage(t, 4*(2*callLen+64)), newPage(t, 2*(2*callLen+64))
		for _, n := range lengths() {
			for _, atEnd := range []bool{true, false} {
				f, b := normal(rng(n), pf.floats(n, atEnd)), pb.bytes(2*n, atEnd)
				k.ToF16(b, f)
				k.FromF16(f, b)
				for i := range f {
					require.Equal(t, fromHalf(binary.LittleEndian.Uint16(b[2*i:])), f[i])
				}
				normal(rng(n), f)
				k.ToBF16(b, f)
				k.FromBF16(f, b)
				for i, v := range normal(rng(n), make([]float32, n)) {
					require.InEpsilon(t, v, f[i], 0.004)
				}
			}
		}
	})
}

func TestBytesIsAView(t *testing.T) {
	h := []uint16{0x1234, 0xabcd}
	require.Equal(t, []byte{0x34, 0x12, 0xcd, 0xab}, Bytes(h))
	require.Empty(t, Bytes(nil))
}
