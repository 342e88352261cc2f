package caption

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"syntic/models/vision"
	"syntic/tensor"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
	"syntic/weights"
)

func TestReadCorpus(t *testing.T) {
	for content, want := range map[string][]string{
		"\ufeffa cat\r\n\r\n  a dog \t\r\n\n\nlast": {"a cat", "a dog", "last"},
		"one":               {"one"},
		"one\n":             {"one"},
		"bad \xff\xfe byte": {"bad \ufffd byte"},
		"\n \n\t\nx\x00y\n": {"x\x00y"},
		"naïve 🦓\n猫\n":      {"naïve 🦓", "猫"},
	} {
		c, err := ReadCorpus(write(t, "texts.txt", content))
		require.NoError(t, err, "%q", content)
		var got []string
		for i := range c.Len() {
			got = append(got, c.At(i))
		}
		require.Equal(t, want, got)
	}
	for _, empty := range []string{"", "\n\n", "\ufeff", " \r\n\t\n"} {
		_, err := ReadCorpus(write(t, "texts.txt", empty))
		require.ErrorContains(t, err, "texts.txt: no text in this file")
	}
	_, err := ReadCorpus(filepath.Join(t.TempDir(), "none.txt"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A memory that was built holds the texts and what the encoder says of them, in
// every storage type; texts too long are counted.
func TestBuildMemoryRoundTrip(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	var texts []string
	for i := range buildBatch + 6 {
		texts = append(texts, strings.Repeat("a zebra ", i%9+1)+string(rune('a'+i%26)))
	}
	texts = append(texts, strings.Repeat("giraffe ", 200), "🦒 ¿qué?")
	want, cut, err := m.Encoder.Texts(bg, texts)
	require.NoError(t, err)
	require.Equal(t, 1, cut)
	for dtype, tolerance := range map[tensor.DType]float64{weights.F32: 0, weights.F16: 5e-4, weights.BF16: 4e-3} {
		path := filepath.Join(t.TempDir(), "built.safetensors")
		done := 0
		cut, err := BuildMemory(bg, path, m.Encoder, NewCorpus(texts), dtype, func(n int) { done += n })
		require.NoError(t, err)
		require.Equal(t, 1, cut)
		require.Equal(t, len(texts), done)
		memory, err := OpenMemory(path)
		require.NoError(t, err)
		require.Equal(t, []any{len(texts), 128, dtype}, []any{memory.Len(), memory.Dim(), memory.DType()})
		row := make([]float32, 128)
		for i, text := range texts {
			require.Equal(t, strings.TrimSpace(text), memory.Text(i))
			require.NoError(t, memory.Feature(row, i))
			require.InDeltaSlice(t, want[i*128:(i+1)*128], row, tolerance)
		}
		found, err := memory.Search(want[3*128:4*128], 2)
		require.NoError(t, err)
		require.Equal(t, texts[3], found[0].Text)
		require.InDelta(t, 1, found[0].Weight, 1e-2)
		require.NoError(t, memory.Close())
	}
}

// An interrupted build leaves nothing behind, and an existing file as it was.
func TestInterruptedBuildLeavesNoFile(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	path := write(t, "old.safetensors", "old")
	ctx, cancel := context.WithCancel(bg)
	_, err := BuildMemory(ctx, path, m.Encoder, numbered(3*buildBatch), weights.F16, func(int) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1)
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(old))
}

func TestImportMemoryChecksFeatures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	two := NewCorpus([]string{"a", "b"})
	for what, v := range map[string][]float32{
		"feature of text 2 is zero": {3, 4, 0, 0},
		"feature of text 1":         {float32(math.NaN()), 1, 1, 0},
		"of text 2":                 {1, 0, float32(math.Inf(-1)), 0},
		"3 feature values aren't 2": {1, 2, 3},
	} {
		require.ErrorContains(t, ImportMemory(path, v, 2, two, weights.F32), what)
		require.NoFileExists(t, path)
	}
	require.NoError(t, ImportMemory(path, []float32{3, 4, 0, -2e30}, 2, two, weights.F32))
	m, err := OpenMemory(path)
	require.NoError(t, err)
	defer m.Close()
	row := make([]float32, 2)
	require.NoError(t, m.Feature(row, 0))
	require.InDeltaSlice(t, []float32{0.6, 0.8}, row, 1e-7)
	require.NoError(t, m.Feature(row, 1))
	require.Equal(t, []float32{0, -1}, row)
}

func i64s(v ...int64) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, uint64(x))
	}
	return b
}

func TestOpenMemoryRefusesWhatIsNone(t *testing.T) {
	rows := tensor.FromF32([]float32{1, 0, 0, 1}, 2, 2).Data
	features := weights.Info{Name: featuresName, Shape: []int{2, 2}, Data: rows}
	texts := weights.Info{Name: textsName, DType: weights.U8, Shape: []int{3}, Data: []byte("abc")}
	offsets := func(v ...int64) weights.Info {
		return weights.Info{Name: offsetsName, DType: weights.I64, Shape: []int{len(v)}, Data: i64s(v...)}
	}
	for _, c := range []struct {
		want string
		list []weights.Info
	}{
		{"isn't a support memory", []weights.Info{texts}},
		{"at least one row", []weights.Info{{Name: featuresName, Shape: []int{0, 2}}}},
		{"at least one row", []weights.Info{{Name: featuresName, Shape: []int{4}, Data: rows}}},
		{"row 1 has length 2, not 1; make the file with", []weights.Info{{Name: featuresName, Shape: []int{2, 2}, Data: tensor.FromF32([]float32{1, 0, 0, 2}, 2, 2).Data}}},
		{"row 0 has length NaN", []weights.Info{{Name: featuresName, Shape: []int{1, 2}, Data: tensor.FromF32([]float32{float32(math.NaN()), 1}, 2).Data}}},
		{"type I64 isn't a floating-point one", []weights.Info{{Name: featuresName, DType: weights.I64, Shape: []int{1, 2}, Data: i64s(1, 0)}}},
		{"1 texts for 2 features", []weights.Info{features, texts, offsets(0, 3)}},
		{"offset 2 of the texts is out of order", []weights.Info{features, texts, offsets(0, 2, 1)}},
		{"offset 2 of the texts is out of order", []weights.Info{features, texts, offsets(0, 2, 99)}},
		{"offset 0 of the texts is out of order", []weights.Info{features, texts, offsets(-1, 2, 3)}},
		{"no such tensor", []weights.Info{features, texts}},
	} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		require.NoError(t, weights.Write(path, c.list, nil))
		_, err := OpenMemory(path)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "m.safetensors")
	}
	_, err := OpenMemory(filepath.Join(t.TempDir(), "none.safetensors"))
	require.ErrorContains(t, err, "none.safetensors")
	_, err = OpenMemory(write(t, "m.safetensors", "hello"))
	require.ErrorContains(t, err, "m.safetensors")
}

// Texts may lie beside the features; a memory without any shows numbers.
func TestTextsBesideTheMemory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	require.NoError(t, weights.Write(path, []weights.Info{{Name: featuresName, Shape: []int{2, 2}, Data: tensor.FromF32([]float32{1, 0, 0, 1}, 2, 2).Data}}, nil))
	m, err := OpenMemory(path)
	require.NoError(t, err)
	require.Equal(t, "#1", m.Text(1))
	require.NoError(t, m.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m.txt"), []byte("\ufeffeins\r\nzwei\r\n"), 0o666))
	m, err = OpenMemory(path)
	require.NoError(t, err)
	require.Equal(t, "eins", m.Text(0))
	require.Equal(t, "zwei", m.Text(1))
	require.NoError(t, m.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m.txt"), []byte("eins\n"), 0o666))
	_, err = OpenMemory(path)
	require.ErrorContains(t, err, "1 texts for 2 features")
}

func TestReadFeatures(t *testing.T) {
	want := []float32{1, -2, 0.5, 3, 0, 4}
	plain := tensor.FromF32(want, 6).Data
	half, err := weights.Convert(weights.Info{Shape: []int{6}, Data: plain}, weights.F16)
	require.NoError(t, err)
	const head = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"
	for name, data := range map[string][]byte{
		"a.f32": plain, "one.npy": npy(1, head, plain), "two.npy": npy(2, head, plain),
		"half.npy": npy(1, strings.Replace(head, "<f4", "<f2", 1), half.Data),
	} {
		v, cols, err := ReadFeatures(write(t, name, string(data)), 3)
		require.NoError(t, err, name)
		require.Equal(t, 3, cols)
		require.Equal(t, want, v)
	}
	path := filepath.Join(t.TempDir(), "f.safetensors")
	list := []weights.Info{{Name: "f", Shape: []int{2, 3}, Data: plain}, {Name: "names", DType: weights.U8, Shape: []int{1}, Data: []byte{1}}}
	require.NoError(t, weights.Write(path, list, nil))
	v, cols, err := ReadFeatures(path, 0)
	require.NoError(t, err)
	require.Equal(t, 3, cols)
	require.Equal(t, want, v)
	list[1].Shape = []int{1, 1}
	require.NoError(t, weights.Write(path, list, nil))
	_, _, err = ReadFeatures(path, 0)
	require.ErrorContains(t, err, "both f and names could be the features")
	for name, c := range map[string]struct{ data, want string }{
		"dim.f32":     {string(plain), "24 bytes aren't rows of 5 float32 values; give their number with --dim"},
		"empty.f32":   {"", "0 bytes"},
		"short.npy":   {"\x93NUMPY\x01\x00\xff\xff{}", "cut short"},
		"text.npy":    {"hello, I'm a text", "not a NumPy file"},
		"order.npy":   {string(npy(1, strings.Replace(head, "False", "True", 1), plain)), "C order"},
		"double.npy":  {string(npy(1, strings.Replace(head, "f4", "f8", 1), plain)), "float32 or float16"},
		"cube.npy":    {string(npy(1, strings.Replace(head, "(2, 3)", "(1, 2, 3)", 1), plain)), "two-dimensional"},
		"less.npy":    {string(npy(1, head, plain[:20])), "20 bytes of data for shape (2, 3)"},
		"huge.npy":    {string(npy(1, strings.Replace(head, "(2, 3)", "(4294967296, 4294967296)", 1), nil)), "0 bytes of data"},
		"none.pickle": {"x", "none.pickle"},
	} {
		_, _, err := ReadFeatures(write(t, name, c.data), 5)
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, name)
	}
	_, _, err = ReadFeatures(write(t, "a.f32", string(plain)), 1<<62)
	require.ErrorContains(t, err, "24 bytes aren't rows")
}

// A memory's temperature may be anything: 0 and almost 0 take the nearest text
// alone, a huge one the mean of all; what isn't a positive number isn't one.
func TestTemperatures(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	p := sample(t, "sheep")
	plain := caption1(t, m, p, Options{Explain: 3})
	sum := 0.0
	for i, s := range plain.Support {
		sum += s.Weight
		require.True(t, i == 0 || s.Weight <= plain.Support[i-1].Weight)
	}
	require.LessOrEqual(t, sum, 1.0)
	nearest, err := m.Memory.Search(plain.Feature, 1)
	require.NoError(t, err)
	cold := caption1(t, m, p, Options{Tau: 1e-9, Explain: 1})
	require.Equal(t, []Support{{nearest[0].Text, 1}}, cold.Support)
	m.Settings.Tau = 0
	zero := caption1(t, m, p, Options{Explain: 1})
	require.Equal(t, cold.Projected, zero.Projected)
	require.Equal(t, cold.Caption, zero.Caption)
	m.Settings.Tau = 0.01
	require.Equal(t, cold.Projected, caption1(t, m, p, Options{TopK: 1}).Projected)
	for _, tau := range []float64{math.NaN(), -1, math.Inf(-1)} {
		require.Equal(t, plain.Projected, caption1(t, m, p, Options{Tau: tau}).Projected, "tau %v must fall back on the settings", tau)
	}
	for _, tau := range []float64{2e-6, 1e-4, 100, 1e300, math.Inf(1)} {
		hot := caption1(t, m, p, Options{Tau: tau, Explain: 1})
		require.InDelta(t, 1, length(hot.Projected), 1e-3, "tau %v", tau)
		require.NotEmpty(t, hot.Caption)
	}
	all := caption1(t, m, p, Options{TopK: m.Memory.Len()})
	require.InDeltaSlice(t, plain.Projected, all.Projected, 1e-5, "as many texts as there are is no limit")
	require.Equal(t, all.Projected, caption1(t, m, p, Options{TopK: math.MaxInt}).Projected)
}

func length(v []float32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s)
}

// With a single text every picture is projected onto it.
func TestMemoryOfOneText(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	memory, err := OpenMemory(makeMemory(t, 1, 128))
	require.NoError(t, err)
	require.NoError(t, m.SetMemory(memory))
	row := make([]float32, 128)
	require.NoError(t, memory.Feature(row, 0))
	for _, o := range []Options{{Explain: 5}, {Tau: 1e-9, Explain: 5}, {TopK: 7, Explain: 5}} {
		r := caption1(t, m, sample(t, "kite"), o)
		require.InDeltaSlice(t, row, r.Projected, 1e-6)
		require.Equal(t, []Support{{"text a", 1}}, r.Support)
	}
}

func TestMemoryOfAnotherSizeIsRefused(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	before := caption1(t, m, sample(t, "kite"), Options{})
	memory, err := OpenMemory(makeMemory(t, 3, 64))
	require.NoError(t, err)
	require.ErrorContains(t, m.SetMemory(memory), "features of 64 values, but CLIP's have 128")
	require.Equal(t, before, caption1(t, m, sample(t, "kite"), Options{}), "the former memory must stay")
}

// A mapped memory that another process cuts short is an error, not a crash.
func TestMemoryCutShortWhileInUse(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file can't be cut there")
	}
	m := openModel(t, bundle, cpu.Options{})
	path := makeMemory(t, 20_000, 128)
	memory, err := OpenMemory(path)
	require.NoError(t, err)
	require.NoError(t, m.SetMemory(memory))
	caption1(t, m, sample(t, "kite"), Options{})
	require.NoError(t, os.Truncate(path, 4096))
	for _, o := range []Options{{}, {TopK: 3, Explain: 3}} {
		_, err = m.Caption(bg, []*vision.Picture{sample(t, "kite")}, o)
		require.ErrorContains(t, err, "memory.safetensors: the file became unreadable while it was in use")
	}
	_, err = memory.Search(unitRows(1, 128), 3)
	require.ErrorContains(t, err, "became unreadable")
	require.NotEmpty(t, caption1(t, m, sample(t, "kite"), Options{NoProjection: true}).Caption, "the rest must still work")
}

// A million texts of 512 half-precision values stay in the mapped file, and the
// projection is right: rows hold four values of ½, so cosines are multiples of ¼.
func TestMillionTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("1 GiB is written without -short")
	}
	const n, d = 1_000_000, 512
	path := filepath.Join(t.TempDir(), "million.safetensors")
	at := func(row int) [4]int { // places of the ½, one in each quarter
		h := uint64(row)*0x9E3779B97F4A7C15 + 1
		return [4]int{int(h >> 57), 128 + int(h>>50&127), 256 + int(h>>43&127), 384 + int(h>>36&127)}
	}
	list := []weights.Info{{Name: featuresName, DType: weights.F16, Shape: []int{n, d}}}
	require.NoError(t, weights.WriteFrom(path, list, nil, func(_ weights.Info, w io.Writer) error {
		const chunk = 1000
		buf := make([]byte, chunk*d*2)
		for lo := 0; lo < n; lo += chunk {
			clear(buf)
			for i := range chunk {
				for _, p := range at(lo + i) {
					binary.LittleEndian.PutUint16(buf[(i*d+p)*2:], 0x3800) // ½
				}
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
		}
		return nil
	}))
	memory, err := OpenMemory(path)
	require.NoError(t, err)
	defer memory.Close()
	dev, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer dev.Close()
	m := &Model{dev: dev, Memory: memory, cache: graph.NewCache[programKey](1)}
	defer m.cache.Close()
	const tau = 0.05
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	program, err := m.projection(2, tau)
	require.NoError(t, err)
	targets := []int{123_456, 999_999}
	for i, row := range targets {
		for _, p := range at(row) {
			program.F32("v")[i*d+p] = 0.5
		}
	}
	began := time.Now()
	require.NoError(t, program.Run(bg))
	runtime.ReadMemStats(&after)
	t.Logf("two pictures on %d texts: %v, %d MiB allocated", n, time.Since(began), (after.TotalAlloc-before.TotalAlloc)>>20)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "the features must not be copied")
	for i, row := range targets {
		want, sum, places := make([]float64, d), 0.0, at(row)
		for j := range n {
			other, shared := at(j), 0
			for q := range 4 {
				if other[q] == places[q] {
					shared++
				}
			}
			w := math.Exp((float64(shared)/4 - 1) / tau)
			sum += w
			for _, p := range other {
				want[p] += w / 2
			}
		}
		norm := 0.0
		for _, v := range want {
			norm += v * v
		}
		got := program.F32("projected")[i*d : (i+1)*d]
		for c := range want {
			require.InDelta(t, want[c]/math.Sqrt(norm), float64(got[c]), 1e-4, "float32 sums of a million terms")
		}
		shares := program.F32("weights")[i*n : (i+1)*n]
		require.InDelta(t, 1/sum, float64(slices.Max(shares)), 1e-4)
	}
}
