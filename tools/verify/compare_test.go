package verify

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/weights"
)

// stored makes a case over golden tensors of its own.
func stored(t *testing.T, outputs map[string]ref, tensors ...weights.Info) *testCase {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, weights.Write(filepath.Join(dir, "g.safetensors"), tensors, nil))
	s := &suite{dir: dir, files: map[string]weights.Source{}}
	t.Cleanup(s.close)
	return &testCase{&entry{ID: "case", File: "g.safetensors", Outputs: outputs}, s}
}

func f32(name string, v ...float32) weights.Info {
	i := weights.Info{Name: name, Shape: []int{len(v)}}
	for _, x := range v {
		i.Data = binary.LittleEndian.AppendUint32(i.Data, math.Float32bits(x))
	}
	return i
}

func i64(name string, v ...int64) weights.Info {
	i := weights.Info{Name: name, DType: weights.I64, Shape: []int{len(v)}}
	for _, x := range v {
		i.Data = binary.LittleEndian.AppendUint64(i.Data, uint64(x))
	}
	return i
}

func TestCompare(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	plain := ref{Tensor: "x", Shape: []int{2}, Tol: 1e-3}
	for name, c := range map[string]struct {
		ref    ref
		golden weights.Info
		out    array
		relerr float64
		pass   bool
	}{
		"equal":         {plain, f32("x", 3, 4), values([]float32{3, 4}, 2), 0, true},
		"near":          {plain, f32("x", 3, 4), values([]float32{3, 4.004}, 2), 8e-4, true},
		"far":           {plain, f32("x", 3, 4), values([]float32{3, 4.5}, 2), 0.1, false},
		"NaN":           {plain, f32("x", 3, 4), values([]float32{3, nan}, 2), 1, false},
		"infinite":      {plain, f32("x", 3, 4), values([]float32{3, inf}, 2), 1, false},
		"zeros":         {plain, f32("x", 0, 0), values([]float32{0, 1e-4}, 2), 1e-4, true},
		"skip":          {ref{Tensor: "x", Shape: []int{2}, Tol: 1e-3, Skip: [][2]int{{1, 2}}}, f32("x", 3, 4), values([]float32{3, nan}, 2), 0, true},
		"stride":        {ref{Tensor: "x", Shape: []int{2}, FullShape: []int{2, 2}, Stride: 3, Tol: 1e-3}, f32("x", 3, 4), values([]float32{3, 7, 7, 4}, 2, 2), 0, true},
		"pictures":      {ref{Tensor: "x", Shape: []int{4}, FullShape: []int{1, 2, 1, 2}, Stride: 1}, f32("x", 1, 2, 3, 4), picture([]float32{1, 3, 2, 4}, 1, 1, 2, 2), 0, true},
		"whole numbers": {ref{Tensor: "x", Shape: []int{2}}, i64("x", 1<<40, 2), array{shape: []int{2}, i64: []int64{1 << 40, 2}}, 0, true},
		"off by one":    {ref{Tensor: "x", Shape: []int{2}}, i64("x", 1<<40, 2), array{shape: []int{2}, i64: []int64{1<<40 + 1, 2}}, 9e-13, false},
		"nothing":       {ref{Tensor: "x", Shape: []int{0}}, i64("x"), array{shape: []int{0}}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := stored(t, map[string]ref{"x": c.ref}, c.golden).compare(map[string]array{"x": c.out})
			require.NoError(t, err)
			require.InDelta(t, c.relerr, r.RelErr, 0.1*c.relerr)
			require.Equal(t, c.pass, r.Pass)
			_, err = json.Marshal(r)
			require.NoError(t, err)
		})
	}
}

// TestCompareTakesTheWorst checks that a case of several outputs shows the one
// that is worst against its own tolerance.
func TestCompareTakesTheWorst(t *testing.T) {
	c := stored(t, map[string]ref{"a": {Tensor: "a", Shape: []int{1}, Tol: 1}, "b": {Tensor: "b", Shape: []int{1}, Tol: 1e-3}}, f32("a", 1), f32("b", 1))
	r, err := c.compare(map[string]array{"a": values([]float32{1.5}, 1), "b": values([]float32{1.0009}, 1)})
	require.NoError(t, err)
	require.True(t, r.Pass)
	require.Equal(t, "b", r.Note)
	require.Equal(t, 1e-3, r.Tol)
	_, err = c.compare(map[string]array{"a": values([]float32{1}, 1)})
	require.ErrorContains(t, err, "b isn't built yet")
}

// TestCompareLaxly: a device of less than float32 gets Options.Least, and nothing
// is compared of a text that went another way; schedulers run no device.
func TestCompareLaxly(t *testing.T) {
	c := stored(t, map[string]ref{"a": {Tensor: "a", Shape: []int{1}, Tol: 1e-6}, "t": {Tensor: "t", Shape: []int{1}}}, f32("a", 1), i64("t", 7))
	got := func(a float32, token int64) map[string]array {
		return map[string]array{"a": values([]float32{a}, 1), "t": {shape: []int{1}, i64: []int64{token}}}
	}
	result := func(a float32, token int64) Result {
		r, err := c.compare(got(a, token))
		require.NoError(t, err)
		return r
	}
	require.False(t, result(1.01, 7).Pass)
	c.s.opts.Least = BF16
	require.True(t, result(1.01, 7).Pass)
	require.Equal(t, BF16, result(1.01, 7).Tol)
	require.False(t, result(1.04, 7).Pass)
	require.False(t, result(float32(math.NaN()), 7).Pass)
	require.Contains(t, result(3, 8).Note, "not compared")
	c.Model = "scheduler"
	require.False(t, result(1.01, 7).Pass)
	require.False(t, result(1, 8).Pass)
}

// TestBadGoldens checks that a manifest which doesn't fit its files is an error
// of the case.
func TestBadGoldens(t *testing.T) {
	got := map[string]array{"x": values([]float32{1, 2}, 2)}
	for want, r := range map[string]ref{
		"the manifest says":    {Tensor: "x", Shape: []int{3}},
		"no such tensor":       {Tensor: "y", Shape: []int{2}},
		"the golden has [5]":   {Tensor: "x", Shape: []int{2}, FullShape: []int{5}, Stride: 4},
		"aren't every 2 of":    {Tensor: "x", Shape: []int{2}, FullShape: []int{2}, Stride: 2},
		"aren't every 0 of [2": {Tensor: "x", Shape: []int{2}, FullShape: []int{2}},
	} {
		_, err := stored(t, map[string]ref{"x": r}, f32("x", 1, 2)).compare(got)
		require.ErrorContains(t, err, want)
	}
	_, err := stored(t, nil, f32("x", 1)).compare(got)
	require.ErrorContains(t, err, "lists no outputs")
}

func TestResultFields(t *testing.T) {
	b, err := json.Marshal(Result{ID: "a", RelErr: 0.5, Tol: 0.25, Note: "n"})
	require.NoError(t, err)
	require.Equal(t, `{"id":"a","relerr":0.5,"tol":0.25,"pass":false,"note":"n"}`, string(b))
}
