package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// candidates are the file names Open looks for in a directory, best first.
var candidates = []string{
	"model.safetensors",
	"diffusion_pytorch_model.safetensors",
	"model.safetensors.index.json",
	"diffusion_pytorch_model.safetensors.index.json",
	"model.fp16.safetensors",
	"diffusion_pytorch_model.fp16.safetensors",
	"pytorch_model.bin",
	"diffusion_pytorch_model.bin",
	"pytorch_model.bin.index.json",
}

// Open opens a checkpoint: a safetensors file, a PyTorch file, a shard index
// (*.index.json), or a directory that holds one of them. The content decides
// between the formats, not the ending. In a directory the usual names are tried
// first (safetensors before PyTorch), then a single file with a known ending.
//
// Errors: *FormatError naming the file, or what was looked for.
func Open(path string) (Source, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return openDir(path)
	}
	if err := regular(path); err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".index.json") {
		return openIndex(path)
	}
	torch, err := looksTorch(path)
	if err != nil {
		return nil, err
	}
	if torch {
		return OpenTorch(path)
	}
	return OpenSafetensors(path)
}

func openDir(dir string) (Source, error) {
	for _, name := range candidates {
		path := filepath.Join(dir, name)
		_, err := os.Stat(path)
		if err == nil {
			return Open(path)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, endings := range [][]string{{".safetensors"}, {".bin", ".pt", ".pth", ".ckpt"}} {
		var found []string
		for _, e := range list {
			for _, end := range endings {
				if !e.IsDir() && strings.HasSuffix(e.Name(), end) {
					found = append(found, e.Name())
				}
			}
		}
		if len(found) == 1 {
			return Open(filepath.Join(dir, found[0]))
		}
		if len(found) > 1 {
			return nil, badf(dir, "several weight files (%s); name one of them", strings.Join(found, ", "))
		}
	}
	return nil, badf(dir, "no weights found; looked for %s, then a single *.safetensors, *.bin, *.pt, *.pth or *.ckpt file",
		strings.Join(candidates, ", "))
}

// looksTorch tells a PyTorch file from a safetensors one by its first bytes:
// byte 8 of a safetensors file is '{'; a PyTorch file is a zip archive, a pickle
// (0x80, protocol) or, long ago, a tar archive.
func looksTorch(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && n == 0 && !errors.Is(err, io.EOF) {
		return false, err
	}
	head = head[:n]
	if n > 8 && head[8] == '{' {
		return false, nil
	}
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06")) ||
		n > 1 && head[0] == 0x80 && head[1] <= 5 || bytes.HasPrefix(head, []byte("L"+legacyMagic)) || isTar(head), nil
}

// maxIndex bounds a shard index; Llama-size ones are below 100 kB.
const maxIndex = 16 << 20

// openIndex opens every shard that a *.index.json lists. Index and shards must
// agree on the tensors, and shards are plain names beside the index.
func openIndex(path string) (Source, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxIndex {
		return nil, badf(path, "index of %d bytes exceeds %d", st.Size(), maxIndex)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, badf(path, "not a shard index: %v", err)
	}
	if len(index.WeightMap) == 0 {
		return nil, badf(path, "weight_map is missing or empty")
	}
	if len(index.WeightMap) > MaxTensors {
		return nil, badf(path, "index lists %d tensors; the limit is %d", len(index.WeightMap), MaxTensors)
	}
	all, err := openShards(path, index.WeightMap)
	if err != nil {
		_ = all.Close()
		return nil, err
	}
	for name := range index.WeightMap {
		if _, ok := all.infos[name]; !ok {
			_ = all.Close()
			return nil, badTensor(path, name, "the index puts it in %s, which does not hold it", index.WeightMap[name])
		}
	}
	return newFile(path, all.infos, nil, all.maps...), nil
}

// openShards gathers the tensors of all shards; on error the result holds what
// must be closed.
func openShards(path string, weightMap map[string]string) (*fileSource, error) {
	all := &fileSource{path: path, infos: map[string]Info{}}
	shards := map[string]bool{}
	for _, shard := range weightMap {
		shards[shard] = true
	}
	names := make([]string, 0, len(shards))
	for shard := range shards {
		names = append(names, shard)
	}
	sort.Strings(names)
	for _, shard := range names {
		if shard == "" || shard != filepath.Base(shard) || strings.ContainsAny(shard, `/\`) || strings.HasPrefix(shard, ".") ||
			strings.HasSuffix(shard, ".index.json") {
			return all, badf(path, "shard %q is not a plain file name", shard)
		}
		file := filepath.Join(filepath.Dir(path), shard)
		err := regular(file)
		if errors.Is(err, fs.ErrNotExist) {
			return all, badf(path, "shard %s is missing (is the download complete?)", shard)
		}
		if err != nil {
			return all, err
		}
		src, err := Open(file)
		if err != nil {
			return all, err
		}
		f := src.(*fileSource)
		all.maps = append(all.maps, f.maps...)
		for name, t := range f.infos {
			if weightMap[name] != shard {
				return all, badTensor(file, name,
					"not listed for this shard in %s (files of two downloads mixed?)", filepath.Base(path))
			}
			all.infos[name] = t
		}
	}
	return all, nil
}

// regular refuses what is no plain file before it is opened: opening a pipe
// would wait for its writer.
func regular(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return badf(path, "not a regular file")
	}
	return nil
}

func isTar(head []byte) bool {
	return len(head) >= 262 && string(head[257:262]) == "ustar"
}
