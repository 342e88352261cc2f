package tensor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/weights"
)

func TestF16RoundTripsEveryValue(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		f := F16ToF32(h)
		if f != f {
			require.True(t, h&0x7c00 == 0x7c00 && h&0x3ff != 0)
			continue
		}
		require.Equal(t, h, F32ToF16(f), "%04x", h)
		// Half-way values between neighbours go to the even one.
		if h&0x7fff < 0x7bff {
			next := F16ToF32(h + 1)
			mid := float32((float64(f) + float64(next)) / 2)
			want := h
			if h&1 == 1 {
				want = h + 1
			}
			require.Equal(t, want, F32ToF16(mid), "between %04x and the next", h)
		}
	}
	require.EqualValues(t, 0x7c00, F32ToF16(65520))
	require.EqualValues(t, 0x7bff, F32ToF16(65519.996))
	require.EqualValues(t, 0, F32ToF16(0x1p-26))
}

func TestBF16RoundTripsEveryValue(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		if f := BF16ToF32(h); f == f {
			require.Equal(t, h, F32ToBF16(f))
		}
	}
	require.True(t, math.IsNaN(float64(BF16ToF32(F32ToBF16(float32(math.NaN()))))))
	require.EqualValues(t, 0x3f80, F32ToBF16(1.00390625)) // tie to even
}

func TestFloat32sWidensEveryType(t *testing.T) {
	for _, c := range []struct {
		d    DType
		data []byte
	}{
		{weights.F32, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}},
		{weights.F16, []byte{0, 0x3c, 0, 0xc0}},
		{weights.BF16, []byte{0x80, 0x3f, 0, 0xc0}},
		{weights.F64, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0}},
		{weights.I8, []byte{1, 0xfe}},
	} {
		v, err := Tensor{c.d, Shape{2}, c.data}.Float32s()
		require.NoError(t, err)
		require.Equal(t, []float32{1, -2}, v, c.d)
	}
	_, err := Tensor{weights.F32, Shape{3}, make([]byte, 8)}.Float32s()
	require.ErrorContains(t, err, "holds 8 bytes, not 12")
}

func TestShape(t *testing.T) {
	s := Shape{2, 3, 4}
	require.Equal(t, 24, s.Elems())
	require.Equal(t, 6, s.Rows())
	require.Equal(t, 4, s.Last())
	require.Equal(t, "[2,3,4]", s.String())
	require.True(t, s.HasSuffix(Shape{3, 4}))
	require.False(t, s.HasSuffix(Shape{2, 3}))
	require.Equal(t, 1, Shape{}.Elems())
}
