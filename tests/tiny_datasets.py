"""The datasets that are read from folders, each laid out like the real one, with a few small images."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from lib.data import DATASETS
from lib.data.dicom import decode_dicom
from lib.data.kvasir import CLASSES as FINDINGS
from lib.seeding import stream

from . import fine_grained


def write_dicom(path, pixels, photometric="MONOCHROME2", **elements):
    """An uncompressed file of grey pixels, as scanners write them."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.PhotometricInterpretation = photometric
    file.Rows, file.Columns = pixels.shape[-2:]
    file.SamplesPerPixel, file.PixelRepresentation = 1, 0
    file.BitsAllocated = file.BitsStored = pixels.dtype.itemsize * 8
    file.HighBit = file.BitsStored - 1
    if pixels.ndim == 3:
        file.NumberOfFrames = len(pixels)
    for name, value in elements.items():
        setattr(file, name, value)
    file.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)
    return path


RADIOGRAPHS = {
    "test/NORMAL": ["NORMAL2-IM-0300-0001.jpeg", "IM-0001-0001.jpeg"],
    "test/PNEUMONIA": ["person1_virus_6.jpeg", "person100_bacteria_475.jpeg"],
    "train/NORMAL": ["IM-0115-0001.jpeg"],
    "train/PNEUMONIA": [
        "person3_bacteria_10.jpeg",
        "person3_bacteria_11.jpeg",
        "person4_virus_1.jpeg",
    ],
    "val/NORMAL": ["NORMAL2-IM-1427-0001.jpeg"],
    "val/PNEUMONIA": ["person1946_bacteria_4874.jpeg"],
}


def chest_xray(root: Path) -> None:
    """The folder that holds chest_xray, with what a Mac leaves beside the images."""
    for folder, names in RADIOGRAPHS.items():
        place = root / "chest_xray" / folder
        place.mkdir(parents=True)
        (place / ".DS_Store").write_text("x")
        for i, name in enumerate(names):
            Image.new("L", (20, 10), 40 * i).save(place / name)


_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
COCO_IDS = [i for i in range(1, 91) if i not in _GAPS]  # the 80 category ids of COCO
# (image id, category id, crowd, x, y, width, height) in 10 x 20 images (H x W)
INSTANCES = [
    (42, 90, 0, 2.5, 1.0, 4.25, 3.0),
    (42, 1, 0, 0.0, 0.0, 20.0, 10.0),
    (42, 1, 0, 5.0, 5.0, 1.0, 2.0),
    (42, 1, 1, 1.0, 1.0, 8.0, 8.0),
    (9, 13, 0, 4.0, 2.0, 16.0, 8.0),
    (9, 2, 1, 1.0, 1.0, 8.0, 8.0),
]


def instances(split, annotations):
    """The content of an annotation file; categories are out of order, as they may be."""
    images = sorted({image for image, *_ in annotations} | {77})  # 77 shows nothing
    return {
        "info": {"year": 2014},
        "licenses": [],
        "images": [
            {"id": i, "file_name": f"COCO_{split}2014_{i:012d}.jpg", "height": 10, "width": 20}
            for i in images
        ],
        "annotations": [
            {
                "id": n,
                "image_id": image,
                "category_id": category,
                "iscrowd": crowd,
                "bbox": box,
                "area": 1.0,
                "segmentation": {"counts": [1, 2], "size": [10, 20]} if crowd else [[1.5, 2.5]],
            }
            for n, (image, category, crowd, *box) in enumerate(annotations)
        ],
        "categories": [
            {"id": i, "name": f"thing {i}", "supercategory": "x"} for i in COCO_IDS[::-1]
        ],
    }


def write_coco(root, split, content, images="."):
    (root / "annotations").mkdir(exist_ok=True)
    (root / f"annotations/instances_{split}2014.json").write_text(json.dumps(content))
    folder = root / images / f"{split}2014"
    folder.mkdir(parents=True)
    for image in content["images"]:
        Image.new("RGB", (20, 10)).save(folder / image["file_name"])


def coco(root: Path) -> None:
    write_coco(root, "val", instances("val", INSTANCES))


# id: (wnid, class index, boxes in an 8 x 16 image (H x W)); the order is not that of the names.
PHOTOGRAPHS = {
    "ILSVRC2012_val_00000003": ("n01440764", 0, [(2, 1, 10, 7)]),
    "ILSVRC2012_val_00000001": ("n02123045", 281, [(0, 0, 16, 8), (4, 2, 8, 4)]),
    "ILSVRC2012_val_00000002": ("n15075141", 999, [(1, 1, 3, 5)]),
}
OF_IMAGENET = """<annotation>
  <folder>val</folder><filename>{id}</filename>
  <size><width>16</width><height>8</height><depth>3</depth></size>
  {objects}
</annotation>"""
OF_WNID = """<object><name>{wnid}</name><pose>Unspecified</pose><truncated>0</truncated>
    <bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def write_photograph(folder, name, index):
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 8), (index % 256, 0, 0)).save(folder / f"{name}.JPEG")


def class_folders(root):
    for name, (wnid, index, _) in PHOTOGRAPHS.items():
        write_photograph(root / wnid, name, index)


def val_folder(root):
    class_folders(root / "val")


def kaggle(root):
    for name, (_, index, _) in PHOTOGRAPHS.items():
        write_photograph(root / "ILSVRC/Data/CLS-LOC/val", name, index)
    solution(root)


def flat_val(root):
    for name, (_, index, _) in PHOTOGRAPHS.items():
        write_photograph(root / "val", name, index)
    solution(root)


def imagenet(root: Path) -> None:
    """Class folders of validation and training images, with the boxes of the former."""
    val_folder(root)
    annotations(root)
    for name, (wnid, index, _) in PHOTOGRAPHS.items():
        for i in range(2):
            write_photograph(root / "train" / wnid, f"{wnid}_{name[-1]}{i}", index)


def solution(root):
    rows = [
        f"{name}," + "".join(f"{wnid} {x0} {y0} {x1} {y1} " for x0, y0, x1, y1 in boxes)
        for name, (wnid, _, boxes) in PHOTOGRAPHS.items()
    ]
    text = "\n".join(["ImageId,PredictionString", *rows, ""])
    (root / "LOC_val_solution.csv").write_text(text)


def annotations(root):
    folder = root / "Annotations/CLS-LOC/val"
    folder.mkdir(parents=True)
    for name, (wnid, _, boxes) in PHOTOGRAPHS.items():
        objects = "".join(OF_WNID.format(*box, wnid=wnid) for box in boxes)
        (folder / f"{name}.xml").write_text(OF_IMAGENET.format(id=name, objects=objects))


def kvasir(root: Path, each: int = 8) -> None:
    for i, name in enumerate(FINDINGS):
        (root / "kvasir-dataset-v2" / name).mkdir(parents=True)
        for j in range(each):
            path = root / f"kvasir-dataset-v2/{name}/{i:04}-{j:04}.jpg"
            Image.new("RGB", (12, 10), (200, 10 * i, 10 * j)).save(path)


_PREFIXES = {"Normal": "a", "Lung Opacity": "b", "No Lung Opacity / Not Normal": "c"}
_OPACITIES = {"Normal": 20, "Lung Opacity": 10, "No Lung Opacity / Not Normal": 5}


def rsna_pneumonia(root: Path) -> None:
    home, labels, info = (
        root / "rsna",
        ["patientId,x,y,width,height,Target"],
        ["patientId,class"],
    )
    for kind, count in _OPACITIES.items():
        for i in range(count):
            name = f"{_PREFIXES[kind]}{i:02d}"
            pixels = np.full((40, 40), 5 * i, np.uint8)
            write_dicom(home / "stage_2_train_images" / f"{name}.dcm", pixels)
            boxes = [(4, 8, 12, 10), (20, 8, 10, 12)][: 1 + i % 2] if kind == "Lung Opacity" else []
            info += [f"{name},{kind}"] * max(1, len(boxes))
            labels += [f"{name},{x}.0,{y}.0,{w}.0,{h}.0,1" for x, y, w, h in boxes] or [
                f"{name},,,,,0"
            ]
    (home / "stage_2_train_labels.csv").write_text("\n".join(labels))
    (home / "stage_2_detailed_class_info.csv").write_text("\n".join(info))


SIDE, FILMS = 20, 40


def run_lengths(mask) -> str:
    """Gaps and lengths of the runs, down the columns, of a mask."""
    flat, out, last = mask.T.flatten(), [], 0
    edges = np.flatnonzero(np.diff(np.r_[0, flat, 0]))
    for begin, end in zip(edges[::2], edges[1::2]):
        out += [begin - last, end - begin]
        last = end
    return " ".join(map(str, out))


def region(i: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[2 + i % 5 : 9, 4 : 7 + i % 3] = 1
    return mask


def siim_pneumothorax(root: Path) -> None:
    home, rows = root / "siim", ["ImageId, EncodedPixels"]
    for i in range(FILMS):
        name = f"1.2.{i:03d}"
        pixels = np.full((SIDE, SIDE), 6 * i, np.uint8)
        write_dicom(home / f"dicom-images-train/s{i}/t{i}/{name}.dcm", pixels)
        if i % 4 == 0:  # a second region, on its own line
            other = np.zeros((SIDE, SIDE), np.uint8)
            other[15:18, 10:12] = 1
            rows += [f"{name}, {run_lengths(region(i))}", f"{name}, {run_lengths(other)}"]
        elif i % 4 == 1:
            rows.append(f"{name}, {run_lengths(region(i))}")
        else:
            rows.append(f"{name}, -1")
    write_dicom(home / "dicom-images-train/x/y/9.9.dcm", pixels)  # which nobody annotated
    (home / "train-rle.csv").write_text("\n".join(rows))


# split: {image: [(class, difficult, xmin, ymin, xmax, ymax)]} in 10 x 20 images (H x W)
SCENES = {
    "test": {
        "000004": [
            ("person", 0, 1, 1, 20, 10),
            ("dog", 0, 3, 2, 6, 5),
            ("person", 0, 11, 6, 11, 6),
            ("person", 1, 2, 2, 4, 4),
        ],
        "000001": [("dog", 0, 5, 5, 20, 10), ("car", 1, 1, 1, 4, 4)],
        "000002": [("tvmonitor", 1, 1, 1, 4, 4)],
    },
    "trainval": {"000005": [("chair", 0, 1, 1, 2, 2)], "000007": [("car", 0, 1, 1, 2, 2)]},
    "train": {"000005": [("chair", 0, 1, 1, 2, 2)]},
    "val": {"000007": [("car", 0, 1, 1, 2, 2)]},
}
OF_VOC = """<annotation>
  <folder>VOC2007</folder><filename>{image}.jpg</filename>
  <owner><flickrid>?</flickrid><name>?</name></owner>
  <size><width>20</width><height>10</height><depth>3</depth></size><segmented>0</segmented>
  {objects}
</annotation>"""
# A part has a name and a box too, as in the images of the person layout taster.
VOC_OBJECT = """<object>
    <name>{0}</name><pose>Left</pose><truncated>1</truncated><difficult>{1}</difficult>
    <bndbox><xmin>{2}</xmin><ymin>{3}</ymin><xmax>{4}</xmax><ymax>{5}</ymax></bndbox>
    <part><name>head</name>
      <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
  </object>"""


def voc(root: Path) -> None:
    home = root / "VOCdevkit/VOC2007"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (home / name).mkdir(parents=True)
    for split, images in SCENES.items():
        (home / f"ImageSets/Main/{split}.txt").write_text("".join(f"{name}\n" for name in images))
        for name, objects in images.items():
            Image.new("RGB", (20, 10), (int(name), 0, 0)).save(home / f"JPEGImages/{name}.jpg")
            text = OF_VOC.format(
                image=name, objects="".join(VOC_OBJECT.format(*o) for o in objects)
            )
            (home / f"Annotations/{name}.xml").write_text(text)


# split: [(question id, image id, question, most common answer)]
QUESTIONS = {
    "train": [
        (90, 9, "Is it red?", "yes"),
        (91, 9, "Is it wet?", "no"),
        (92, 9, "How many?", "2"),
        (93, 9, "Is it big?", "yes"),
        (94, 9, "What is it?", "cat"),
    ],
    "val": [
        (423, 42, "What is THIS?", "cat"),
        (421, 42, "Is it a cat?", "yes"),
        (422, 42, "Where is it?", "under the old table"),
        (100, 10, "How many cats?", "2"),
        (101, 10, "Is it day?", "yes"),
    ],
}
VQA_LAYOUTS = {
    "flat": ("{}", "{}", "{}"),
    "official": ("Questions/{}", "Annotations/{}", "Images/mscoco/{}"),
    "images": ("Questions/{}", "Annotations/{}", "Images/{}"),
}


def write_vqa(root, split, layout="flat", questions=None):
    questions = QUESTIONS[split] if questions is None else questions
    asked, answered, images = (
        root / place.format(name)
        for place, name in zip(
            VQA_LAYOUTS[layout],
            (
                f"OpenEnded_mscoco_{split}2014_questions.json",
                f"mscoco_{split}2014_annotations.json",
                f"{split}2014",
            ),
            strict=True,
        )
    )
    for folder in (asked.parent, answered.parent, images):
        folder.mkdir(parents=True, exist_ok=True)
    answers = [{"answer": "maybe", "answer_confidence": "yes", "answer_id": i} for i in range(10)]
    shared = {"info": {"version": "1.0"}, "data_type": "mscoco", "data_subtype": f"{split}2014"}
    asked.write_text(
        json.dumps(
            shared
            | {
                "task_type": "Open-Ended",
                "questions": [
                    {"question_id": q, "image_id": image, "question": text}
                    for q, image, text, _ in questions
                ],
            }
        )
    )
    answered.write_text(
        json.dumps(
            shared
            | {
                "annotations": [
                    {
                        "question_id": q,
                        "image_id": image,
                        "multiple_choice_answer": answer,
                        "question_type": "is it",
                        "answer_type": "other",
                        "answers": answers,
                    }
                    for q, image, _, answer in reversed(questions)
                ]
            }
        )
    )
    for image in {image for _, image, _, _ in questions}:
        Image.new("RGB", (20, 10)).save(images / f"COCO_{split}2014_{image:012d}.jpg")


def vqa(root: Path) -> None:
    for split in QUESTIONS:
        write_vqa(root, split)


PROTOCOL = {"wsol_cub": "CUB", "wsol_imagenet": "ILSVRC", "wsol_openimages": "OpenImages"}
BIRDS = ("001.Auk", "002.Bunting")


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def picture(path, grey, size=(40, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (grey,) * 3).save(path)


def mask(path, box, size=(80, 40)):
    """Bright in a box, at twice the size of the image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.zeros(size[::-1], np.uint8)
    x0, y0, x1, y1 = box
    grey[y0:y1, x0:x1] = 255
    Image.fromarray(grey).save(path)


def wsol(root: Path, name: str, classes: Sequence[str] = BIRDS) -> None:
    """One image of each class in every split; the first of val and test has two objects."""
    folder = PROTOCOL[name]
    for split in ("train", "val", "test"):
        lists = root / "metadata" / folder / split
        ids = [f"{split}/{c}/{i}.png" for i, c in enumerate(classes)]
        write_lines(lists / "image_ids.txt", ids)
        write_lines(lists / "class_labels.txt", [f"{one},{c}" for c, one in enumerate(ids)])
        for i, one in enumerate(ids):
            picture(root / "dataset" / folder / one, 60 * i)
        if split == "train":
            continue
        write_lines(lists / "image_sizes.txt", [f"{one},40,20" for one in ids])
        if folder != "OpenImages":
            places = [f"{ids[0]},0,0,20,10", f"{ids[0]},30,10,40,20"]
            places += [f"{one},4,2,8,20" for one in ids[1:]]
        else:
            files = {f"masks/{split}/{n}.png": box for n, box in {
                "0a": (0, 0, 40, 20), "0b": (60, 20, 80, 40), "0": (30, 10, 80, 40), "1": (0, 0, 8, 40)
            }.items()}  # fmt: skip
            for path, box in files.items():
                mask(root / "dataset" / folder / path, box)
            a, b, ignored, one = files
            places = [f"{ids[0]},{a},{ignored}", f"{ids[0]},{b},"]
            places += [f"{other},{one}," for other in ids[1:]]
        write_lines(lists / "localization.txt", places)


def cub(root: Path) -> None:
    """Eight species with attributes; what tells them apart is in sight."""
    fine_grained.cub(root, 8, each=1)
    fine_grained.attributes(root, 8)
    path = root / "CUB_200_2011/parts/part_locs.txt"
    crown = 1 + fine_grained.CUB_PARTS.index("crown")
    path.write_text(path.read_text().replace(f" {crown} 0.0 0.0 0\n", f" {crown} 8.0 2.0 1\n"))


# The maker of each dataset, by the name of its manifest.
MAKERS = {
    **fine_grained.MAKERS,
    "chest_xray": chest_xray,
    "coco": coco,
    "cub": cub,
    "imagenet": imagenet,
    "kvasir": kvasir,
    "rsna_pneumonia": rsna_pneumonia,
    "siim_pneumothorax": siim_pneumothorax,
    "voc": voc,
    "vqa": vqa,
    **{name: partial(wsol, name=name) for name in PROTOCOL},
    "wsol_cub": partial(wsol, name="wsol_cub", classes=[f"{i:03}.Albatross" for i in range(1, 9)]),
}


def data_home(folder: Path) -> Path:
    """All of them where their manifests expect them, textured in place of flat colours."""
    for name, make in MAKERS.items():
        root = folder / "datasets" / DATASETS[name]["source"]["folder"]
        root.mkdir(parents=True, exist_ok=True)
        make(root)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".dcm"):
            _texture(path, path.relative_to(folder).as_posix())
    return folder


def _texture(path: Path, seed: str) -> None:
    """Replace a flat image by noise of the same size, the same for a seed; masks stay."""
    if {"masks", "segmentations"} & {*path.parts}:
        return
    noise = stream(0, seed)
    if path.suffix == ".dcm":
        rows, columns = decode_dicom(path).size[::-1]
        write_dicom(path, noise.integers(0, 256, (rows, columns), np.uint8))
        return
    with Image.open(path) as image:
        size, mode = image.size, image.mode
    coarse = noise.integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode).save(path)
