package elem

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
)

func TestTranspose(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, m := range []int{0, 1, 2, 7, 8, 9, 16, 17, 40, 65, 130} {
			for _, n := range []int{1, 3, 8, 15, 16, 33, 64, 100} {
				x, y := normal(rng(m), newPage(t, 4*m*n+1).floats(m*n, true)), newPage(t, 4*m*n+1).floats(m*n, true)
				k.Transpose(y, x, m, n)
				for i := range m {
					for j := range n {
						require.Equal(t, x[i*n+j], y[j*m+i])
					}
				}
			}
		}
	})
}

func TestPermute(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, shape := range [][4]int{{2, 3, 4, 5}, {1, 17, 9, 20}, {3, 1, 1, 8}, {2, 16, 3, 33}, {1, 1, 0, 4}} {
			x := normal(rng(shape[1]), make([]float32, shape[0]*shape[1]*shape[2]*shape[3]))
			for a := range 4 {
				for b := range 4 {
					for c := range 4 {
						d := 6 - a - b - c
						if a == b || b == c || a == c || d < 0 || d > 3 || d == a || d == b || d == c {
							continue
						}
						perm, y := [4]int{a, b, c, d}, make([]float32, len(x))
						k.Permute(y, x, shape, perm)
						require.Equal(t, ref.Permute(x, shape, perm), append(make([]float32, 0, len(y)), y...), "%v %v", shape, perm)
					}
				}
			}
		}
		require.Panics(t, func() { k.Permute(nil, nil, [4]int{}, [4]int{0, 0, 3, 3}) })
	})
}

func TestGather(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		const v, d = 11, 37
		table, ids := normal(rng(1), make([]float32, v*d)), []int32{10, 0, 3, 3, 10}
		f16, bf16 := make([]byte, 2*v*d+1)[1:], make([]byte, 2*v*d+1)[1:]
		k.ToF16(f16, table)
		k.ToBF16(bf16, table)
		got, half, bf := make([]float32, len(ids)*d), make([]float32, len(ids)*d), make([]float32, len(ids)*d)
		k.Gather(got, table, d, ids)
		k.GatherF16(half, f16, d, ids)
		k.GatherBF16(bf, bf16, d, ids)
		for i := range got {
			want := table[int(ids[i/d])*d+i%d]
			require.Equal(t, want, got[i])
			require.InEpsilon(t, want, half[i], 1e-3)
			require.InEpsilon(t, want, bf[i], 4e-3)
		}
		require.PanicsWithValue(t, "elem: row 11 of a table of 11", func() { k.Gather(got[:d], table, d, []int32{11}) })
		require.PanicsWithValue(t, "elem: row -1 of a table of 11", func() { k.GatherF16(got[:d], f16, d, []int32{-1}) })
	})
}

func TestCopyRows(t *testing.T) {
	a, b := []float32{1, 2, 3, 4}, []float32{5, 6}
	y := make([]float32, 6) // [[1 2 5] [3 4 6]]
	CopyRows(y, a, 2, 2, 3, 2)
	CopyRows(y[2:], b, 2, 1, 3, 1)
	require.Equal(t, []float32{1, 2, 5, 3, 4, 6}, y)
	CopyRows(a, y[1:], 2, 2, 2, 3)
	require.Equal(t, []float32{2, 5, 4, 6}, a)
	require.Panics(t, func() { CopyRows(y, a, 2, 3, 2, 2) })
}

func TestMoveGoldens(t *testing.T) {
	g, e, r := goldens(t, "elementwise"), goldens(t, "embedding"), goldens(t, "resample")
	get := func(g map[string][]float32, name string) []float32 {
		require.NotEmpty(t, g["op/"+name], name)
		return g["op/"+name]
	}
	nhwc := func(k *Kernel, x []float32, n, c, hw int) []float32 {
		y := make([]float32, len(x))
		for i := range n {
			k.Transpose(y[i*c*hw:(i+1)*c*hw], x[i*c*hw:(i+1)*c*hw], c, hw)
		}
		return y
	}
	eachLevel(t, func(t *testing.T, k *Kernel) {
		y := make([]float32, 120)
		k.Permute(y, get(g, "transpose_0213/in/x"), [4]int{2, 3, 4, 5}, [4]int{0, 2, 1, 3})
		require.Equal(t, get(g, "transpose_0213/out/out"), y)

		y = make([]float32, 32)
		CopyRows(y, get(g, "concat_dim1/in/a"), 2, 12, 16, 12)
		CopyRows(y[12:], get(g, "concat_dim1/in/b"), 2, 4, 16, 4)
		require.Equal(t, get(g, "concat_dim1/out/out"), y)

		y = make([]float32, 24)
		k.MulRow(y, get(g, "mul_broadcast/in/a"), get(g, "mul_broadcast/in/b"))
		require.LessOrEqual(t, relErr(get(g, "mul_broadcast/out/out"), y), 2e-6)
		a, b := get(g, "add_broadcast/in/a"), get(g, "add_broadcast/in/b") // [2,3,4] + [3,1]
		for i := range 6 {
			k.AddScalar(y[4*i:4*i+4], a[4*i:4*i+4], b[i%3])
		}
		require.LessOrEqual(t, relErr(get(g, "add_broadcast/out/out"), y), 2e-6)
		x := get(g, "mean_all/in/x")
		require.LessOrEqual(t, relErr(get(g, "mean_all/out/out"), []float32{float32(k.Sum(x) / float64(len(x)))}), 2e-6)

		var ids []int32
		for _, v := range get(e, "embedding/in/ids") {
			ids = append(ids, int32(v))
		}
		y = make([]float32, len(ids)*5)
		k.Gather(y, get(e, "embedding/in/weight"), 5, ids)
		require.Equal(t, get(e, "embedding/out/out"), y)

		for name, size := range map[string][2]int{"nearest_2x": {14, 10}, "nearest_to_11x8": {11, 8}} {
			in := nhwc(k, get(r, name+"/in/x"), 2, 3, 35)
			y = make([]float32, 2*3*size[0]*size[1])
			Nearest(y, in, 2, 7, 5, 3, size[0], size[1])
			require.Equal(t, nhwc(k, get(r, name+"/out/out"), 2, 3, size[0]*size[1]), y, name)
		}
	})
}

func BenchmarkMoves(b *testing.B) {
	for _, k := range []*Kernel{portable(), bestKernel(b)} {
		const n = 1 << 19
		x, y := make([]float32, n), make([]float32, n)
		for _, c := range []struct {
			name string
			run  func()
		}{
			{"transpose1024x512", func() { k.Transpose(y, x, 1024, 512) }},
			{"permute0213", func() { k.Permute(y, x, [4]int{2, 1024, 8, 32}, [4]int{0, 2, 1, 3}) }},
			{"nearest2x", func() { Nearest(y, x[:n/4], 1, 64, 64, 32, 128, 128) }},
		} {
			b.Run(fmt.Sprintf("%s/%s", c.name, k.Level()), func(b *testing.B) {
				b.SetBytes(8 * n)
				for b.Loop() {
					c.run()
				}
			})
		}
	}
}
