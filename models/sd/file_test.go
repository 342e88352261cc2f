package sd

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLoadOneFile opens a checkpoint with the names and shapes of the published
// v1-5-pruned-emaonly file. Its values are a hole in the file: zeros.
func TestLoadOneFile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(shared(t), "golden", "NAMES", "sd15-single-file.ldm.json"))
	require.NoError(t, err)
	var list struct {
		Tensors []struct {
			Name  string
			Shape []int
		}
	}
	require.NoError(t, json.Unmarshal(data, &list))
	require.Greater(t, len(list.Tensors), 1000)
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	write := func(name string, leave int) string {
		header, at := map[string]entry{}, 0
		for i, w := range list.Tensors {
			size := 2
			for _, n := range w.Shape {
				size *= n
			}
			if i != leave {
				header[w.Name] = entry{"F16", w.Shape, [2]int{at, at + size}}
				at += size
			}
		}
		text, err := json.Marshal(header)
		require.NoError(t, err)
		for len(text)%8 != 0 {
			text = append(text, ' ')
		}
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), 0o644))
		require.NoError(t, os.Truncate(path, int64(8+len(text)+at)))
		return path
	}
	d := device(t, 1)
	p, err := LoadFile(d, write("whole.safetensors", -1))
	require.NoError(t, err)
	defer p.Close()
	require.Equal(t, "pndm", p.SchedulerName())
	require.Equal(t, 49408, p.tokens.VocabSize())
	stages, err := p.Plan(1, Settings{Steps: 20, Guidance: 7.5})
	require.NoError(t, err)
	require.InEpsilon(t, 2514.5e9, stages[3].FLOPs, 0.002)

	_, err = LoadFile(d, write("short.safetensors", 5))
	require.ErrorContains(t, err, "missing: time_embedding.linear_2.bias")
}
