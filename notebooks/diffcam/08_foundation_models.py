# %% [markdown]
"""
# Stub
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
reference: str = ""  # a dataset or a folder of reference images; empty: the profile's, or the other images
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from book import Page

page = Page("diffcam/08_foundation_models", globals())
page.protocol()
