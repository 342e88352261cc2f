package weights

import (
	"os"
	"path/filepath"
	"testing"
)

// use reads everything a loader would: no panic, and every tensor's bytes match
// its dtype and shape.
func use(t *testing.T, src Source) {
	src = Canonical(src, FamilyUNet)
	if len(src.Names()) > MaxTensors {
		t.Fatalf("%d tensors", len(src.Names()))
	}
	for _, n := range src.Names() {
		info, err := src.Get(n)
		if err != nil {
			continue // two names may claim one, or a shape may not split
		}
		if size, ok := byteSize(info.Shape, info.DType.Size()); !ok || size != len(info.Data) {
			t.Fatalf("%q: %v of shape %v has %d bytes", n, info.DType, info.Shape, len(info.Data))
		}
		info.Release()
	}
	if _, err := Finite(lenient{src}); err != nil {
		t.Fatal(err)
	}
	_ = Check(src, []Info{{Name: "w", Shape: []int{2, 2}}})
}

// lenient passes over the tensors Get refuses, which Finite reports as errors.
type lenient struct{ Source }

func (s lenient) Get(name string) (Info, error) {
	info, err := s.Source.Get(name)
	if err != nil {
		return Info{}, nil
	}
	return info, nil
}

func FuzzSafetensors(f *testing.F) {
	for _, c := range badImages() {
		if len(c.data) < 1<<12 {
			f.Add(c.data)
		}
	}
	f.Add(image(one, make([]byte, 8)))
	f.Add(image(`{"__metadata__":{"a":"\u00e9"},"visual.proj":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]}}`, make([]byte, 4)))
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := FromBytes("fuzz", data)
		if err == nil {
			use(t, src)
		}
	})
}

func FuzzTorch(f *testing.F) {
	for _, file := range []string{"zip.pth", "script.pt", "tensor_p5.pt"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	ents := []zipEnt{{"m/data.pkl", []byte("}Vw\n" + goodTensor() + "s.")}, {"m/data/0", f32Bytes(3, 4)}}
	f.Add(zipOf(ents...))
	f.Add(zip64Of(ents...))
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := parseTorch("fuzz", &mapping{data: data})
		if err == nil {
			use(t, src)
		}
	})
}

// FuzzPickle puts the pickle alone into an archive with two storages, and tries
// the same bytes as a stream file.
func FuzzPickle(f *testing.F) {
	f.Add([]byte("}Vw\n" + goodTensor() + "s."))
	f.Add([]byte("\x80\x05\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01w\x94" + goodTensor() + "s."))
	f.Add([]byte("ccollections\nOrderedDict\n(((Vw\n" + goodTensor() + "tltR}V_metadata\nNsb."))
	f.Add([]byte("c__torch__.net\nNet\n)\x81}(Vfc\n" + goodTensor() + "ub."))
	f.Add([]byte("]q\x00h\x00ah\x00a."))
	f.Add([]byte("(G\x3f\xf8\x00\x00\x00\x00\x00\x00\x8a\x02\x00\x80L-7L\nI01\nNt."))
	for _, file := range []string{"legacy.pth", "legacy_p4.pt"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		files := zipOf(zipEnt{"m/data.pkl", data}, zipEnt{"m/data/0", f32Bytes(1, 2)}, zipEnt{"m/data/1", make([]byte, 64)}, zipEnt{"m/constants.pkl", nil})
		for _, image := range [][]byte{files, data} {
			src, err := parseTorch("fuzz", &mapping{data: image})
			if err == nil {
				use(t, src)
			}
		}
	})
}
