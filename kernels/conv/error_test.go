package conv

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The constants ErrorDirect, ErrorF2 and ErrorF4 hold for normal data; the log
// is the table of what was measured.
func TestWinogradError(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, c := range []int{64, 128, 256, 320, 512, 640, 1280} {
			s := Spec{N: 1, H: 12, W: 12, C: c, O: 32, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1}
			o := makeOperands(t, s, uint64(c))
			want := o.reference(s)
			var e [3]float64
			for i, a := range []Algo{Direct, WinogradF2, WinogradF4} {
				s.Algorithm = a
				o.run(t, k, 1, s)
				e[i] = relErr(want, o.dst)
				require.LessOrEqual(t, e[i], tolerance(a), "%v C=%d", a, c)
			}
			t.Logf("C=%4d  direct %.2e  F2 %.2e  F4 %.2e", c, e[0], e[1], e[2])
		}
	})
}
