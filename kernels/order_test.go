package kernels

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "syntic"

// rooms is the order of packages: one may import only those of a lower line,
// and of its own line those that only list. A folder counts for what is in it
// unless that has a line of its own.
var rooms = []struct {
	packages []string
	only     map[string][]string // imports within the line, by importer
}{
	{packages: []string{"kernels/isa", "kernels/ref"}},
	{packages: []string{"kernels/par"}},
	{packages: []string{"kernels/elem"}},
	{packages: []string{"kernels/norm"}},
	{packages: []string{"kernels/gemm"}},
	{packages: []string{"kernels/conv", "kernels/attn", "kernels/image", "kernels/step"}},
	{packages: []string{"kernels/narrow"}},
	{packages: []string{"kernels"}},
	{packages: []string{"weights"}},
	{packages: []string{"tensor"}},
	{packages: []string{"tensor/graph"}},
	{packages: []string{"tensor/cpu", "tensor/devtest", "cuda", "nn", "nn/optim", "nn/loss"},
		only: map[string][]string{"nn/optim": {"nn"}, "nn/loss": {"nn"}, "tensor/cpu": {}, "cuda": {}}},
	{packages: []string{"models/token", "models/vision"}},
	{packages: []string{"models/clip", "models/sd", "models/detr", "models/decoder"},
		only: map[string][]string{"models/sd": {"models/clip"}}}, // its text encoder
	{packages: []string{"models/caption"}},
	{packages: []string{"tools"}},
	{packages: []string{"cmd"}},
}

// room returns the line of a package and its entry there; -1 if it has none.
func room(pkg string) (line int, entry string) {
	for p := pkg; p != "."; p = path.Dir(p) {
		for i, r := range rooms {
			if slices.Contains(r.packages, p) {
				return i, p
			}
		}
	}
	return -1, ""
}

// importFault says why one of our packages may not import another; "" if it may.
func importFault(from, to string) string {
	a, entry := room(from)
	b, other := room(to)
	switch {
	case a < 0:
		return from + " has no room in the order of packages"
	case b < 0:
		return from + " imports " + to + ", which has no room in the order of packages"
	case strings.HasPrefix(to, "tools/") && entry != "tools" && entry != "cmd":
		return from + " imports " + to + ": tools are for cmd alone"
	case b > a:
		return from + " imports " + to + " of a higher room"
	case to == "weights" || !strings.HasPrefix(from, "models/") || to != "tensor/cpu" && to != "cuda":
	default:
		return from + " imports " + to + ": models receive a device"
	}
	if a == b && entry != other && !slices.Contains(rooms[a].only[entry], other) {
		return from + " imports " + to + " of the same room"
	}
	if from == "weights" {
		return "weights imports " + to + ": it imports nothing of ours"
	}
	return ""
}

// limited are modules that only some files may import.
func moduleFault(from, file, to string) string {
	test := strings.HasSuffix(file, "_test.go")
	switch {
	case strings.HasPrefix(to, "github.com/stretchr/testify") && !test:
		return file + " imports testify outside of a test"
	case strings.HasPrefix(to, "gonum.org/") && !test && !strings.HasPrefix(from, "tools"):
		return file + " imports gonum outside of tests and tools"
	case strings.HasPrefix(to, "github.com/klauspost/cpuid") && from != "kernels/isa":
		return file + " imports cpuid: ask kernels/isa"
	case strings.HasPrefix(to, "gorgonia.org/") && !strings.HasPrefix(from, "cuda"):
		return file + " imports gorgonia.org outside of cuda"
	}
	return ""
}

func TestImportOrder(t *testing.T) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	files := 0
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != root && (name[0] == '_' || name[0] == '.' || name == "testdata" || name == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		require.NoError(t, err)
		from := filepath.ToSlash(rel)
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		for _, i := range f.Imports {
			to, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			if fault := moduleFault(from, name, to); fault != "" {
				t.Error(from + "/" + fault)
			}
			ours, ok := strings.CutPrefix(to, module+"/")
			// A test may look at anything, as the compliance suites do.
			if !ok || ours == from || strings.HasSuffix(name, "_test.go") {
				continue
			}
			if fault := importFault(from, ours); fault != "" {
				t.Error(fault)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, files, 50, "the walk found too little")
}

func TestImportOrderFires(t *testing.T) {
	for _, c := range [][2]string{
		{"kernels/isa", "kernels/ref"}, {"kernels/elem", "kernels/norm"}, {"kernels/conv", "kernels/attn"}, {"tensor/cpu", "cuda"},
		{"nn", "tensor/cpu"}, {"models/clip", "models/detr"}, {"models/clip", "models/sd"}, {"models/clip", "tensor/cpu"}, {"models/sd/sched", "cuda"},
		{"models/caption", "tools/metrics"}, {"tensor", "models/clip"}, {"weights", "kernels/isa"}, {"misc", "tensor"}, {"tensor", "misc"},
	} {
		require.NotEmpty(t, importFault(c[0], c[1]), c)
	}
	for _, c := range [][2]string{
		{"kernels/norm", "kernels/elem"}, {"kernels", "kernels/conv"}, {"nn/optim", "nn"}, {"models/sd", "models/sd/sched"}, {"models/sd", "models/clip"},
		{"models/caption", "models/clip"}, {"cmd/syntic", "tools/metrics"}, {"cmd/syntic", "cuda"}, {"models/clip", "weights"},
	} {
		require.Empty(t, importFault(c[0], c[1]), c)
	}
	require.NotEmpty(t, moduleFault("nn", "a.go", "github.com/stretchr/testify/require"))
	require.NotEmpty(t, moduleFault("nn", "a.go", "gonum.org/v1/gonum/mat"))
	require.NotEmpty(t, moduleFault("kernels/elem", "a_test.go", "github.com/klauspost/cpuid/v2"))
	require.Empty(t, moduleFault("tools/metrics", "a.go", "gonum.org/v1/gonum/stat"))
}
