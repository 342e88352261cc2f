package weights

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShardedEqualsWhole(t *testing.T) {
	requireSame(t, open(t, shared(t, "golden", "tiny", "clip")), open(t, shared(t, "golden", "tiny", "clip_sharded")))
}

// shards writes a two-shard checkpoint and returns its folder.
func shards(t *testing.T, weightMap string) string {
	dir := t.TempDir()
	for i, name := range []string{"a", "b"} {
		require.NoError(t, Write(filepath.Join(dir, fmt.Sprintf("s%d.safetensors", i)),
			[]Info{{Name: name, Shape: []int{1}, Data: f32Bytes(float32(i))}}, nil))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(weightMap), 0o644))
	return dir
}

func TestShards(t *testing.T) {
	dir := shards(t, `{"metadata":{"total_size":8},"weight_map":{"a":"s0.safetensors","b":"s1.safetensors"}}`)
	src := open(t, dir)
	require.Equal(t, []string{"a", "b"}, src.Names())
	require.Equal(t, []float32{1}, f32Of(t, get(t, src, "b")))

	for index, reason := range map[string]string{
		`{"weight_map":{"a":"s0.safetensors","b":"s2.safetensors"}}`:                      "shard s2.safetensors is missing",
		`{"weight_map":{"a":"s0.safetensors"}}`:                                           "",
		`{"weight_map":{"a":"s0.safetensors","c":"s1.safetensors"}}`:                      "not listed for this shard",
		`{"weight_map":{"a":"s0.safetensors","b":"s1.safetensors","c":"s1.safetensors"}}`: `tensor "c": the index puts it in s1.safetensors`,
		`{"weight_map":{"a":"../s0.safetensors"}}`:                                        "not a plain file name",
		`{"weight_map":{"a":"/etc/passwd"}}`:                                              "not a plain file name",
		`{"weight_map":{"a":"model.safetensors.index.json"}}`:                             "not a plain file name",
		`{"weight_map":{}}`: "missing or empty",
		`[]`:                "not a shard index",
		``:                  "not a shard index",
	} {
		_, err := Open(shards(t, index))
		if reason == "" {
			require.NoError(t, err)
			continue
		}
		var f *FormatError
		require.ErrorAs(t, err, &f)
		require.ErrorContains(t, err, reason)
	}
}

func TestOpenDirectory(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	requireFormatError(t, err, dir, "looked for model.safetensors, diffusion_pytorch_model.safetensors, model.safetensors.index.json")
	save := func(name string, v float32) {
		require.NoError(t, Write(filepath.Join(dir, name), []Info{{Name: "w", Shape: []int{1}, Data: f32Bytes(v)}}, nil))
	}
	for i, name := range []string{"some.pt", "any.safetensors", "diffusion_pytorch_model.safetensors", "model.safetensors"} {
		save(name, float32(i)) // the content decides, not the ending
		require.Equal(t, []float32{float32(i)}, f32Of(t, get(t, open(t, dir), "w")), name)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "model.safetensors")))
	require.NoError(t, os.Remove(filepath.Join(dir, "diffusion_pytorch_model.safetensors")))
	save("other.safetensors", 9)
	_, err = Open(dir)
	requireFormatError(t, err, dir, "several weight files (any.safetensors, other.safetensors)")
	_, err = Open(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	if runtime.GOOS != "windows" {
		for _, open := range []func(string) (Source, error){Open, OpenSafetensors, OpenTorch} {
			_, err = open(os.DevNull)
			requireFormatError(t, err, os.DevNull, "not a regular file")
		}
	}
}

func TestGuardTruncated(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("files are read, not mapped, on this system")
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	big := make([]byte, 1<<20)
	big[len(big)-1] = 7
	require.NoError(t, Write(path, []Info{{Name: "w", DType: U8, Shape: []int{1 << 20}, Data: big}}, nil))
	src := open(t, path)
	w := get(t, src, "w")
	w.Release()
	require.Equal(t, byte(7), w.Data[len(w.Data)-1], "a released view comes back")
	require.NoError(t, os.Truncate(path, 4096))
	sum := 0
	err := Guard(func() error {
		for _, b := range w.Data {
			sum += int(b)
		}
		return nil
	})
	requireFormatError(t, err, path, "became unreadable while it was in use")

	f32 := w
	f32.DType, f32.Shape = F32, []int{1 << 18}
	_, err = Finite(stub{f32})
	requireFormatError(t, err, path, "became unreadable")
}

// stub is a source of one tensor.
type stub struct{ t Info }

func (s stub) Names() []string          { return []string{s.t.Name} }
func (s stub) Get(string) (Info, error) { return s.t, nil }
func (s stub) Close() error             { return nil }

func TestGuardPassesThrough(t *testing.T) {
	boom := errors.New("boom")
	require.ErrorIs(t, Guard(func() error { return boom }), boom)
	require.NoError(t, Guard(func() error { return nil }))
	require.PanicsWithValue(t, "mine", func() { _ = Guard(func() error { panic("mine") }) })
	require.Panics(t, func() {
		_ = Guard(func() error {
			var p *int
			*p = 1
			return nil
		})
	}, "a nil dereference is no file's fault")
}

// TestReplaced replaces a file by rename while it is in use: the mapping keeps
// the old content.
func TestReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	save := func(v float32) {
		require.NoError(t, Write(path, []Info{{Name: "w", Shape: []int{1}, Data: f32Bytes(v)}}, nil))
	}
	save(1)
	src := open(t, path)
	save(2)
	require.Equal(t, []float32{1}, f32Of(t, get(t, src, "w")))
	require.Equal(t, []float32{2}, f32Of(t, get(t, open(t, path), "w")))

	closed, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	require.NoError(t, closed.Close())
	_, err = closed.Get("w")
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestFindCached(t *testing.T) {
	home := t.TempDir()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	model := filepath.Join("huggingface", "hub", "models--openai--clip")
	snap := filepath.Join(home, model, "snapshots", commit)
	require.NoError(t, os.MkdirAll(snap, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(home, model, "refs", "refs", "pr"), 0o755))
	for _, ref := range []string{"main", filepath.Join("refs", "pr", "1")} {
		require.NoError(t, os.WriteFile(filepath.Join(home, model, "refs", ref), []byte(commit+"\n"), 0o644))
	}
	for name, env := range map[string][3]string{
		"HF_HUB_CACHE":   {filepath.Join(home, "huggingface", "hub"), "/nowhere", "/nowhere"},
		"HF_HOME":        {"", filepath.Join(home, "huggingface"), "/nowhere"},
		"XDG_CACHE_HOME": {"", "", home},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HF_HUB_CACHE", env[0])
			t.Setenv("HF_HOME", env[1])
			t.Setenv("XDG_CACHE_HOME", env[2])
			for _, revision := range []string{"", "main", commit, "refs/pr/1"} {
				dir, err := FindCached("openai/clip", revision)
				require.NoError(t, err)
				require.Equal(t, snap, dir)
			}
			for _, bad := range [][2]string{{"openai/other", ""}, {"openai/clip", "v2"}, {"../x", ""}, {"a/b/c", ""}, {"openai/clip", "../../x"}, {"openai/clip", "/etc"}} {
				_, err := FindCached(bad[0], bad[1])
				var f *FormatError
				require.ErrorAs(t, err, &f, "%q", bad)
			}
		})
	}
}
