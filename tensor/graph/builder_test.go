package graph

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
	"syntic/tensor"
	"syntic/weights"
)

// TestShapeErrors checks that a mistake comes back from Build as an error which
// names the layer and both shapes.
func TestShapeErrors(t *testing.T) {
	w := named("fc.weight", 4, 5)
	bias := named("fc.bias", 3)
	conv := named("conv.weight", 8, 3, 3, 3)
	table := named("wte.weight", 10, 4)
	state := NewState("cache", 2, 6, 8)
	for name, c := range map[string]struct {
		record func(b *Builder)
		want   []string
	}{
		"linear":        {func(b *Builder) { b.Linear(b.Input("x", 2, 3), w, LinearOpts{}) }, []string{"fc.weight", "[2,3]", "[4,5]"}},
		"linear KN":     {func(b *Builder) { b.Linear(b.Input("x", 2, 5), w, LinearOpts{Layout: KN}) }, []string{"fc.weight", "[2,5]", "[4,5]"}},
		"linear bias":   {func(b *Builder) { b.Linear(b.Input("x", 2, 5), w, LinearOpts{Bias: bias}) }, []string{"fc.bias", "[3]", "[4,5]"}},
		"linear rank":   {func(b *Builder) { b.Linear(b.Input("x", 2, 3), bias, LinearOpts{}) }, []string{"fc.bias", "[3]", "two dimensions"}},
		"residual":      {func(b *Builder) { b.Linear(b.Input("x", 2, 5), w, LinearOpts{Residual: b.Input("r", 2, 5)}) }, []string{"fc.weight", "[2,5]", "[2,4]"}},
		"conv":          {func(b *Builder) { b.Conv2D(b.Input("x", 1, 9, 9, 4), conv, ConvOpts{}) }, []string{"conv.weight", "[1,9,9,4]", "[8,3,3,3]"}},
		"small picture": {func(b *Builder) { b.Conv2D(b.Input("x", 1, 2, 9, 3), conv, ConvOpts{}) }, []string{"conv.weight", "smaller", "[1,2,9,3]"}},
		"pool":          {func(b *Builder) { b.MaxPool(b.Input("x", 1, 2, 2, 3), 3, 2, 0) }, []string{"MaxPool", "[1,2,2,3]"}},
		"norm":          {func(b *Builder) { b.LayerNorm(b.Input("x", 2, 4), bias, bias, 1) }, []string{"fc.bias", "[2,4]", "[3]"}},
		"groups":        {func(b *Builder) { b.GroupNorm(b.Input("x", 2, 4, 3), bias, bias, 2, 1, ref.None) }, []string{"fc.bias", "[2,4,3]", "[3]"}},
		"conv norm": {func(b *Builder) {
			b.Conv2D(b.Input("x", 1, 9, 9, 3), conv, ConvOpts{Norm: &Norm{Weight: bias, Bias: bias, Groups: 2}})
		}, []string{"fc.bias", "[1,9,9,3]", "[3]"}},
		"add each":   {func(b *Builder) { b.AddEach(b.Input("x", 2, 5, 4), b.Input("y", 2, 5)) }, []string{"AddEach", "[2,5,4]", "[2,5]"}},
		"add":        {func(b *Builder) { b.Add(b.Input("x", 2, 4), b.Input("y", 2)) }, []string{"Add", "[2,4]", "[2]"}},
		"add weight": {func(b *Builder) { b.AddParam(b.Input("x", 2, 4), bias) }, []string{"fc.bias", "[2,4]", "[3]"}},
		"matmul":     {func(b *Builder) { b.MatMul(b.Input("x", 2, 4), b.Input("y", 3, 5), NK, 1) }, []string{"MatMul", "[2,4]", "[3,5]"}},
		"attention": {func(b *Builder) {
			x := b.Input("x", 2, 4, 8)
			b.Attention(x, b.Input("y", 3, 4, 8), x, AttentionOpts{Heads: 1, D: 8})
		}, []string{"Attention", "[2,4,8]", "[3,4,8]"}},
		"heads": {func(b *Builder) { x := b.Input("x", 2, 4, 8); b.Attention(x, x, x, AttentionOpts{Heads: 3, D: 4}) }, []string{"Attention", "[2,4,8]", "[3,4]"}},
		"mask": {func(b *Builder) {
			x := b.Input("x", 2, 4, 8)
			b.Attention(x, x, x, AttentionOpts{Heads: 2, D: 4, Mask: b.Input("m", 2, 3)})
		}, []string{"[2,3]", "[2,4,8]"}},
		"embed":        {func(b *Builder) { b.Embed(b.Input("ids", 3), table) }, []string{"wte.weight", "[3]", "[10,4]"}},
		"gather":       {func(b *Builder) { b.Gather(b.Input("x", 2, 4, 8), b.InputI32("i", 3)) }, []string{"Gather", "[2,4,8]", "[3]"}},
		"gather rank":  {func(b *Builder) { b.Gather(b.Input("x", 2, 4, 8), b.InputI32("i", 2, 1, 1)) }, []string{"Gather", "[2,4,8]", "[2,1,1]"}},
		"top none":     {func(b *Builder) { b.TopK(b.Input("x", 2, 4), 0) }, []string{"TopK", "0 of 4 elements", "1 to 4", "[2,4]"}},
		"top of few":   {func(b *Builder) { b.TopK(b.Input("x", 2, 4), 5) }, []string{"TopK", "5 of 4 elements", "1 to 4", "[2,4]"}},
		"top too many": {func(b *Builder) { b.TopK(b.Input("x", 2, 9999), 1025) }, []string{"TopK", "1025 of 9999 elements", "1 to 1024", "[2,9999]"}},
		"top of ids":   {func(b *Builder) { b.TopK(b.InputI32("x", 2, 4), 1) }, []string{"x: TopK", "indices", "[2,4]"}},
		"cache":        {func(b *Builder) { b.CacheWrite(state, b.Input("x", 2, 7, 8), 0, b.InputI32("at", 1)) }, []string{"cache", "[2,7,8]", "[2,6,8]"}},
		"select":       {func(b *Builder) { b.CacheSelect(state, b.InputI32("f", 3), b.InputI32("u", 1)) }, []string{"cache", "[3]", "[2,6,8]"}},
		"reshape":      {func(b *Builder) { b.Reshape(b.Input("x", 2, 4), 3, -1) }, []string{"Reshape", "[2,4]"}},
		"concat":       {func(b *Builder) { b.Concat(1, b.Input("x", 2, 4), b.Input("y", 3, 4)) }, []string{"Concat", "[2,4]", "[3,4]"}},
		"slice":        {func(b *Builder) { b.Slice(b.Input("x", 2, 4), 1, 2, 5) }, []string{"Slice", "[2,4]"}},
		"permute":      {func(b *Builder) { b.Permute(b.Input("x", 2, 4), 1, 1) }, []string{"Permute", "[2,4]"}},
		"geglu":        {func(b *Builder) { b.GEGLU(b.Input("x", 2, 5)) }, []string{"GEGLU", "[2,5]"}},
		"rows":         {func(b *Builder) { b.RowDots(b.Input("x", 2, 5), table) }, []string{"wte.weight", "[2,5]", "[10,4]"}},
		"float index":  {func(b *Builder) { b.CacheWrite(state, b.Input("x", 2, 1, 8), 0, b.Input("at", 1)) }, []string{"at: CacheWrite", "floats", "[1]"}},
		"integer data": {func(b *Builder) { b.Add(b.InputI32("x", 2, 4), b.Input("y", 4)) }, []string{"x: Add", "indices", "[2,4]"}},
		"constant":     {func(b *Builder) { b.Const(make([]float32, 3), 2, 2) }, []string{"Const", "3 values", "[2,2]"}},
		"input twice":  {func(b *Builder) { b.Input("x", 2); b.Input("x", 2) }, []string{"x", "taken"}},
		"output twice": {func(b *Builder) { y := b.Scale(b.Input("x", 2), 1); b.Output("y", y); b.Output("y", y) }, []string{"y", "taken"}},
		"output input": {func(b *Builder) { b.Output("y", b.Reshape(b.Input("x", 2), 1, 2)) }, []string{"y", "computed"}},
		"negative":     {func(b *Builder) { b.Input("x", -1, 2) }, []string{"x", "negative", "[-1,2]"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(&paper{}, c.record)
			var shape *ShapeError
			require.True(t, errors.As(err, &shape), "%v", err)
			for _, part := range c.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func TestOtherPanicsPassThrough(t *testing.T) {
	require.PanicsWithValue(t, "a bug", func() { _, _ = Build(&paper{}, func(*Builder) { panic("a bug") }) })
}

func TestBuildNeedsAnOutput(t *testing.T) {
	_, err := Build(&paper{}, func(b *Builder) { b.Scale(b.Input("x", 2), 2) })
	require.ErrorContains(t, err, "no output")
}

func TestTaps(t *testing.T) {
	record := func(b *Builder) {
		x := b.Input("x", 2, 4)
		y := b.Linear(x, named("w", 4, 4), LinearOpts{})
		b.Tap("inner", y)
		b.Tap("same", y)
		b.Output("y", b.Activate(y, ref.ReLU))
	}
	require.Equal(t, []string{"Linear"}, kinds(t, record), "an unwanted tap costs nothing")
	require.Equal(t, []string{"Linear", "Unary relu"}, kinds(t, record, "inner"), "a tapped value isn't fused away")

	p, err := Build(&paper{}, record, "inner", "same")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{2, 4}, p.Shape("inner"))
	require.Same(t, &p.F32("inner")[0], &p.F32("same")[0], "two names of one value")

	_, err = Build(&paper{}, record, "outer")
	require.ErrorContains(t, err, `"outer"`)
}

func TestProgramByName(t *testing.T) {
	p, err := Build(&paper{}, func(b *Builder) {
		ids := b.InputI32("ids", 3)
		b.Output("y", b.ArgMax(b.Embed(ids, named("w", 5, 4))))
	})
	require.NoError(t, err)
	require.Len(t, p.I32("ids"), 3)
	require.Len(t, p.I32("y"), 3)
	require.Equal(t, I32, p.Type("y"))
	require.Equal(t, 2, p.Steps())
	require.Panics(t, func() { p.F32("y") }, "of another type")
	require.Panics(t, func() { p.F32("z") }, "no such name")
	var s strings.Builder
	require.NoError(t, p.Dump(&s))
	require.Contains(t, s.String(), "Embed")
	require.Contains(t, s.String(), "ArgMax")
}

func TestParams(t *testing.T) {
	a, b := loaded(t, "a", []float32{1, 2, 3, 4}, 2, 2), loaded(t, "b", []float32{5, 6}, 1, 2)
	v, err := Stack(a, b).Float32s()
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, v)
	v, err = Rows(Stack(a, b), 1, 3).Float32s()
	require.NoError(t, err)
	require.Equal(t, []float32{3, 4, 5, 6}, v)
	require.Equal(t, tensor.Shape{2, 2}, Rows(Stack(a, b), 1, 3).Shape)
	require.Equal(t, "a (derived) (derived)", Rows(Stack(a, b), 1, 3).Label())

	_, err = Stack(a, named("c", 1, 2)).Float32s()
	require.ErrorContains(t, err, "c: not loaded")
	require.ErrorContains(t, a.Load(weights.Info{Name: "a", Shape: []int{4}}), "shape [4], want [2,2]")
	require.ErrorContains(t, a.Load(weights.Info{Name: "a", Shape: []int{2, 2}, DType: weights.I64}), "I64")
}
